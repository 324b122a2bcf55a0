# shellcheck shell=dash disable=SC3045 # busybox reads up to a NUL with -d ''
# Reads NUL-terminated NAME=value entries into the environment; nothing in them is ever evaluated.
# Variables of the kit's own scripts begin with lium_: every other name may belong to the pod.

# load_environment FILE: exports every entry that a shell can hold and whose name `accepts NAME` agrees to.
load_environment() {
  [ -r "$1" ] || return 0
  while IFS= read -r -d '' lium_entry; do
    if is_unholdable "${lium_entry%%=*}"; then continue; fi
    if accepts "${lium_entry%%=*}"; then export "${lium_entry?}"; fi
  done <"$1"
}

# is_unholdable NAME: no shell variable can have this name; text assigned to OPTIND would end the shell.
is_unholdable() {
  case $1 in
    '' | [0-9]* | *[!A-Za-z0-9_]* | OPTIND) ;;
    *) return 1 ;;
  esac
}
