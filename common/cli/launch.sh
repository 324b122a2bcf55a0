#!/bin/sh
# lium-agent and lium-executor, as npm links them: starts the built program of the name that it was called by, or that is
# its first argument, on the Node of the lockfile, which may be newer than the machine's own.
set -eu

root=$(dirname -- "$(readlink -f -- "$0")")/../..
name=$(basename -- "$0")
if [ "$name" = launch.sh ]; then
    name=$1
    shift
fi
main=$root/dist/${name#lium-}/cli/main.js

if [ ! -e "$main" ]; then
    echo "$name is not built yet: run 'npm ci && npm run build' in $(readlink -f -- "$root")" >&2
    exit 1
fi
# A small young generation keeps a daemon's memory a fifth smaller, one arena for all its threads a tenth, and a heap that
# grows by a quarter and no more before it is cleaned keeps it so under load, at a cost in time that its work does not notice.
export MALLOC_ARENA_MAX=1
exec "$root/node_modules/.bin/node" --max-semi-space-size=1 --heap-growing-percent=25 "$main" "$@"
