# shellcheck shell=dash disable=SC3060 # busybox replaces patterns in variables
# The pod's environment: the secrets that come in, and what SSH sessions get of it.
# Variables of the kit's own scripts begin with lium_: every other name may belong to the pod.
lium_newline='
'

# load_secrets FILE: exports a NAME=value on each line, where \n is a newline and \b a backslash. Values are only ever
# data: nothing in them is evaluated.
load_secrets() {
  [ -r "$1" ] || return 0
  while IFS= read -r lium_entry; do
    case $lium_entry in
      *\\*)
        lium_entry=${lium_entry//\\n/$lium_newline}
        lium_entry=${lium_entry//\\b/\\}
        ;;
    esac
    export "${lium_entry?}"
  done <"$1"
}

# save_environment FILE: for sessions, in the shell's own quoting, without what a session has of its own.
save_environment() (
  umask 077
  unset HOME SHELL USER LOGNAME PWD OLDPWD SHLVL
  unset SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_AUTH_SOCK SSH_ORIGINAL_COMMAND SSH_PUBKEYINFO
  export -p >"$1"
)
