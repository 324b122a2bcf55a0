#!/.lium/k/bin/busybox sh
# shellcheck shell=dash
# Whether a pod has the device files that it was given, and no other accelerator's.
#
#   devices NODE...
#
# Ends with N when the Nth NODE is not there or cannot be opened, and with 121 when there is one that was not given.
lium_count=0
for lium_node; do
  if [ "$lium_count" -lt 120 ]; then lium_count=$((lium_count + 1)); fi
  [ -c "$lium_node" ] || exit "$lium_count"
  case $lium_node in
    # Only one program may have a Gaudi open, and that is to be the pod's own.
    /dev/accel/accel[0-9]* | /dev/hl[0-9]*) continue ;;
  esac
  # What is in use already has been opened by the pod.
  lium_said=$( (: <>"$lium_node") 2>&1) || case $lium_said in *busy*) ;; *) exit "$lium_count" ;; esac
done

for lium_found in /dev/nvidia[0-9]* /dev/nvidia-caps/* /dev/nvidia-caps-imex-channels/* /dev/kfd /dev/dri/* /dev/accel/* /dev/hl[0-9]* /dev/hl_controlD*; do
  if [ ! -c "$lium_found" ] || [ -L "$lium_found" ]; then continue; fi
  for lium_node; do
    if [ "$lium_node" = "$lium_found" ]; then continue 2; fi
  done
  exit 121
done
exit 0
