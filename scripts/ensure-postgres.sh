#!/bin/sh
# Prints the folder of initdb and postgres for the example that keeps its lists in PostgreSQL; as root on Debian or Ubuntu
# it installs what there is not. Only the programs are needed: no cluster is made, no service started.
set -eu

find_postgres() {
    # Where Debian has them is on nobody's PATH; of several versions the newest comes last.
    found=""
    for folder in /usr/lib/postgresql/*/bin "$(dirname "$(command -v postgres || echo /)")" "${POSTGRES_BIN:-/}"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            found=$folder
        fi
    done
    [ -n "$found" ] && echo "$found"
}

find_postgres && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing PostgreSQL …" >&2
    {
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -qq -y --no-install-recommends postgresql-common
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
        apt-get install -qq -y --no-install-recommends postgresql
    } >&2
    find_postgres && exit 0
fi

echo "No PostgreSQL for the examples: install PostgreSQL 14 or newer, or set POSTGRES_BIN=/folder/of/initdb" >&2
exit 1
