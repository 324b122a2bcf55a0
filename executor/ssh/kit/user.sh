# shellcheck shell=dash
# Finds an image's USER the way Docker does. Call it in a subshell: its variables have plain names.

# find_user USER PASSWD GROUP HOME: prints UID:GID:GROUPS:HOME, where GROUPS are numbers with commas in between, or
# complains and fails. HOME is what Docker gave root; a value that is not root's home was chosen by somebody and is kept.
find_user() {
  uid='' gid=0 login='' home=/ root_home=/
  if [ -r "$2" ]; then
    while IFS=: read -r name _ number group _ folder _ || [ -n "$name" ]; do
      if [ "$name" = root ]; then root_home=$folder; fi
      if [ -n "$uid" ]; then continue; fi
      case ${1%%:*} in "$name" | "$number") uid=$number gid=$group login=$name home=$folder ;; esac
    done <"$2"
  fi
  uid=$(number_of "$uid" "${1%%:*}") || return
  if [ "$4" != "$root_home" ]; then home=$4; fi
  case $1 in
    *:*) gid=$(named_group "${1#*:}" "$3") && groups=$gid || return ;;
    *) groups=$gid$(groups_with "$login" "$3") ;;
  esac
  echo "$uid:$gid:$groups:$home"
}

# number_of FOUND TEXT: the number that was found, or else the text itself if it is one.
number_of() {
  case ${1:-$2} in
    '' | *[!0-9]*)
      echo "lium: the image has no user or group '$2'" >&2
      return 1
      ;;
  esac
  echo "${1:-$2}"
}

# named_group GROUP FILE: the number of a group given by its name or number.
named_group() {
  found=''
  if [ -r "$2" ]; then
    while IFS=: read -r name _ number _ || [ -n "$name" ]; do
      case $1 in "$name" | "$number") found=${found:-$number} ;; esac
    done <"$2"
  fi
  number_of "$found" "$1"
}

# groups_with LOGIN FILE: a comma and its number for every group that lists this member.
groups_with() {
  if [ -z "$1" ] || [ ! -r "$2" ]; then return; fi
  while IFS=: read -r name _ number members || [ -n "$name" ]; do
    case ,$members, in *",$1,"*) printf ',%s' "$number" ;; esac
  done <"$2"
}
