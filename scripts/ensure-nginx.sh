#!/bin/sh
# Prints the path of an nginx for the tests behind a proxy, which need openssl beside it; as root on Debian or Ubuntu it
# installs what there is not.
set -eu

find_nginx() {
    command -v openssl >/dev/null || return 1
    # Where Debian has it is not on everybody's PATH.
    for candidate in "${NGINX:-}" nginx /usr/sbin/nginx; do
        if [ -n "$candidate" ] && command -v "$candidate"; then
            return 0
        fi
    done
    return 1
}

find_nginx && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing nginx …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nginx openssl; } >&2
    find_nginx && exit 0
fi

echo "No nginx and openssl for the tests behind a proxy: install them, or set NGINX=/path/to/nginx, or go without: BROWSER=no" >&2
exit 1
