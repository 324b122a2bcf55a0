#!/.lium/k/bin/busybox sh
# shellcheck shell=dash
# Root's shell as the SSH server sees it: brings the pod's environment, then becomes the image's own shell.
#
#   session             an interactive login
#   session -c COMMAND  one command, or a request for the SFTP server
lium_kit=/.lium/k

# The terminal of this session counts more than one that the pod was started with.
lium_term=$TERM
# shellcheck source=/dev/null
. /.lium/run/env
if [ -n "$lium_term" ]; then export TERM="$lium_term"; fi

lium_home='' lium_shell=''
if [ -r /etc/passwd ]; then
  while IFS=: read -r lium_name _ _ _ _ lium_home lium_shell; do
    if [ "$lium_name" = root ]; then break; fi
    lium_home='' lium_shell=''
  done </etc/passwd
fi

for SHELL in "$lium_shell" /bin/bash /bin/sh "$lium_kit/bin/sh"; do
  case $SHELL in '' | */nologin | */false) continue ;; esac
  if [ -f "$SHELL" ] && [ -x "$SHELL" ]; then break; fi
done

# An image may lack both folders. This fails, and has to, where the root file system is read-only.
HOME=${lium_home:-/root}
[ -d "$HOME" ] || "$lium_kit/bin/busybox" mkdir -p -m 700 "$HOME" 2>/dev/null || HOME=/
[ -d /tmp ] || "$lium_kit/bin/busybox" mkdir -m 1777 /tmp 2>/dev/null
cd "$HOME" 2>/dev/null || cd /
export HOME SHELL
# bash reads ~/.bashrc for a command over SSH only when SHLVL says that it is the first shell.
unset OLDPWD SHLVL

if [ "$1" = -c ]; then
  case $2 in
    /usr/lib*/sftp-server)
      unset LD_PRELOAD LD_AUDIT
      exec "$lium_kit/bin/sftp-server"
      ;;
    # Older clients start scp at this end too; the image's own comes first.
    'scp '*) PATH=$PATH:$lium_kit/bin ;;
  esac
  exec "$SHELL" -c "$2"
fi

# /etc/profile often sets PATH anew and loses what the image added to it. Where there is something to lose, the profile is
# read first, PATH is put right, and only then the interactive shell begins.
case ${SHELL##*/} in
  sh | ash | bash | dash | ksh | zsh)
    if [ "$PATH" != /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ]; then
      export LIUM_PATH="$PATH"
      # shellcheck disable=SC2016 # it is the shell that is started that expands this
      exec "$SHELL" -l -c '
        case :$PATH: in *":$LIUM_PATH:"*) ;; *) PATH=$LIUM_PATH ;; esac
        export PATH
        unset LIUM_PATH
        exec "$0" -i' "$SHELL"
    fi
    ;;
esac
exec "$SHELL" -l
