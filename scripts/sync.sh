#!/bin/sh
# Makes an environment or brings it up to date: scripts/sync.sh FOLDER [options of `uv sync`]
# $SYNC_PYTHON is the interpreter (default: the primary one of scripts/interpreters.py).
set -eu
cd "$(dirname "$0")/.."

environment=$1
shift
uv=$(scripts/ensure-uv.sh)
python=${SYNC_PYTHON:-$("${PYTHON:-python3}" scripts/interpreters.py --primary)}
[ -d "$environment" ] || echo "making $environment with $python …" >&2

unset VIRTUAL_ENV # an activated environment is not the one that is meant here
UV_PROJECT_ENVIRONMENT=$environment UV_PYTHON_DOWNLOADS=never \
    exec "$uv" sync --quiet --python "$python" "$@"
