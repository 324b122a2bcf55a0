#!/.lium/k/bin/busybox sh
# shellcheck shell=dash disable=SC3045 # busybox reads up to a NUL with -d ''
# A pod's first process under docker-init: starts SSH, then becomes the pod's own command.
#
#   init [--user USER] [--stay] -- [COMMAND...]
#
#   --user  runs COMMAND as an image's USER: NAME or UID, alone or with :GROUP or :GID
#   --stay  keeps the pod up for SSH after COMMAND has ended by itself; otherwise the pod ends with COMMAND's status
#
# Ends with status 70 when nobody could log in, and with 71 when the image does not know USER.
# SSH starts first, because a renter waits for it, but not before there is an environment for its sessions.
lium_kit=/.lium/k

fail() {
  echo "lium: $2" >&2
  exit "$1"
}

# shellcheck source=/dev/null
. "$lium_kit/environment"
load_secrets /.lium/secret/env
save_environment /.lium/run/env || fail 70 "the pod's environment could not be saved for SSH"

# shellcheck source=/dev/null
. "$lium_kit/server"
start_ssh || fail 70 "SSH did not start in this pod"

stay_for_ever() {
  exec "$lium_kit/bin/busybox" sleep 2147483647
}

lium_user='' lium_stay=''
while [ "$1" != -- ]; do
  case $1 in
    --user) lium_user=$2 && shift ;;
    --stay) lium_stay=yes ;;
  esac
  shift
done
shift
if [ $# = 0 ]; then stay_for_ever; fi

# The kit's env runs COMMAND, so that it is looked up in PATH alone: busybox would prefer its own applets.
# It also hands over what no shell variable can hold, such as discovery.type=single-node. A busybox before 1.31 cannot
# read up to a NUL, and loses such names.
while IFS= read -r -d '' lium_entry; do
  case ${lium_entry%%=*} in '' | [0-9]* | *[!A-Za-z0-9_]*) set -- "$lium_entry" "$@" ;; esac
done </proc/self/environ 2>/dev/null
if [ -n "$LD_PRELOAD" ]; then
  set -- "LD_PRELOAD=$LD_PRELOAD" "$@"
  unset LD_PRELOAD
fi
# A shell starts its background commands with INT and QUIT ignored, and what is ignored stays so in most programs.
set -- "$lium_kit/bin/env" --default-signal=INT,QUIT "$@"

case $lium_user in
  '' | 0 | root | 0:0 | root:root) ;;
  *)
    # shellcheck source=/dev/null
    lium_found=$(. "$lium_kit/user" && find_user "$lium_user" /etc/passwd /etc/group "$HOME") || exit 71
    HOME=${lium_found#*:*:*:}
    lium_found=${lium_found%:"$HOME"}
    lium_gid=${lium_found#*:}
    lium_groups=${lium_found##*:}
    # The pod's own, which may use its devices; 0 is root's.
    for lium_group in $("$lium_kit/bin/busybox" id -G); do
      if [ "$lium_group" != 0 ]; then lium_groups=$lium_groups,$lium_group; fi
    done
    set -- "$lium_kit/bin/setpriv" --reuid "${lium_found%%:*}" --regid "${lium_gid%%:*}" --groups "$lium_groups" -- "$@"
    ;;
esac
unset lium_entry PWD OLDPWD SHLVL

if [ -z "$lium_stay" ]; then exec "$@"; fi

"$@" &
lium_child=$!
# Any of these may be the image's stop signal; 37 is RTMIN+3, which systemd takes.
for lium_signal in HUP INT QUIT USR1 USR2 TERM WINCH 37; do
  # shellcheck disable=SC2064 # each trap names its own signal
  trap "lium_stopping=yes; kill -$lium_signal $lium_child 2>/dev/null" "$lium_signal"
done
while :; do
  wait "$lium_child"
  lium_status=$?
  # A signal ends the wait early, while the child still exists.
  kill -0 "$lium_child" 2>/dev/null || break
done
if [ -n "$lium_stopping" ]; then exit "$lium_status"; fi
echo "lium: the image's command ended with status $lium_status; the pod stays up for SSH" >&2
stay_for_ever
