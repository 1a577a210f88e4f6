#!/bin/sh
# Runs the suite on every supported interpreter of this machine but the primary one, each in an environment of
# its own: scripts/test-interpreters.sh [options of pytest]
set -eu
cd "$(dirname "$0")/.."

found=$("${PYTHON:-python3}" scripts/interpreters.py)
printf '%s\n' "$found" | tail -n +2 | while read -r minor version path; do
    printf '\n-- Python %s\n' "$version"
    SYNC_PYTHON=$path scripts/sync.sh ".venvs/$minor" --no-default-groups --group test --all-extras
    scripts/second-look.sh ".venvs/$minor/bin/python" -q "$@" </dev/null
done
