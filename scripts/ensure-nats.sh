#!/bin/sh
# Prints the path of a nats-server for the tests; as root on Debian or Ubuntu it installs what there is not.
set -eu

find_nats() {
    # Where Debian has it is not on everybody's PATH.
    for candidate in "${NATS_SERVER:-}" nats-server /usr/sbin/nats-server; do
        if [ -n "$candidate" ] && command -v "$candidate"; then
            return 0
        fi
    done
    return 1
}

find_nats && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing nats-server …" >&2
    # Its package would start one.
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends nats-server; } >&2
    find_nats && exit 0
fi

echo "No nats-server for the tests: install it, or set NATS_SERVER=/path/to/nats-server" >&2
exit 1
