#!/.lium/k/bin/busybox sh
# shellcheck shell=dash disable=SC2154 # the file that is read in names the pid file
# Starts the SSH server anew in a pod whose own no longer answers. Sessions that are open go on: each is a process of its own.
lium_kit=/.lium/k
# shellcheck source=/dev/null
. "$lium_kit/server"

if read -r lium_pid 2>/dev/null <"$lium_pid_file"; then
  "$lium_kit/bin/busybox" kill -9 "$lium_pid" 2>/dev/null
fi
start_ssh
