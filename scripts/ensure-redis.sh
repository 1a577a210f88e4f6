#!/bin/sh
# Prints the path of a redis-server for the tests that start one; as root on Debian or Ubuntu it installs what there is
# not. Only the program is needed: the service that the package brings is not used.
set -eu

find_redis() {
    for candidate in "${REDIS_SERVER:-}" redis-server /usr/bin/redis-server; do
        if [ -n "$candidate" ] && command -v "$candidate"; then
            return 0
        fi
    done
    return 1
}

find_redis && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing redis-server …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends redis-server; } >&2
    find_redis && exit 0
fi

echo "No redis-server for the tests between processes: install Redis 7 or newer, or set REDIS_SERVER=/path/to/redis-server" >&2
exit 1
