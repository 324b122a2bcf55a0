#!/bin/sh
# The first command on a fresh machine: checks for Node and npm, installs the locked dependencies,
# then hands over to installer/, which runs on the Node of the lockfile.
set -eu

need_node() {
    cat >&2 <<'TEXT'
Lium Provider needs Node 20.19 or newer with npm. Install them first, for example:
  Debian 13, Ubuntu 25.04 or newer:  apt-get install -y nodejs npm
  older:                             https://nodejs.org/en/download
TEXT
    exit 2
}

main() {
    cd -- "$(dirname -- "$0")"
    command -v node >/dev/null 2>&1 || need_node
    command -v npm >/dev/null 2>&1 || need_node
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || need_node

    # npm copies the lockfile's meaning to node_modules when it is done, so a stamp tells whether the two agree.
    if ! cmp -s package-lock.json node_modules/.lium-lock; then
        echo "Installing dependencies ..." >&2
        npm ci --no-audit --no-fund --loglevel=error >&2
        cp package-lock.json node_modules/.lium-lock
    fi
    exec npm run --silent installer -- "$@"
}

main "$@"
