# shellcheck shell=dash disable=SC2154 # whoever reads this in says where the kit is
# Starts the pod's SSH server; it goes to the background once it listens.
# Its environment is empty: the pod's may name libraries to load, and they are for the image's own C library.
lium_pid_file=/.lium/run/dropbear.pid

start_ssh() {
  # Uploads from far away need a wide window; servers from before 2022 take no more than the second.
  for lium_window in 4194304 1048576; do
    if "$lium_kit/bin/busybox" env -i "$lium_kit/bin/dropbear" \
      -s -m -p 7022 -r /.lium/pod/host_ed25519 -P "$lium_pid_file" -K 300 -W "$lium_window"; then
      unset lium_window
      return 0
    fi
  done
  return 1
}
