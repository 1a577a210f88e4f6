#!/bin/sh
# Prints the path of a uv that this project can use, and brings one when the machine has none.
# $UV, if set, is taken as it is. $PYTHON is the Python whose pip fetches it (default: python3).
set -eu
cd "$(dirname "$0")/.."

minimum=0.8 # the same as required-version in pyproject.toml
python=${PYTHON:-python3}

usable() {
    version=$("$1" --version 2>/dev/null) || return 1
    version=$(printf '%s\n' "$version" | cut -d ' ' -f 2)
    [ "$(printf '%s\n%s\n' "$minimum" "$version" | sort -V | head -n 1)" = "$minimum" ]
}

for candidate in "${UV:-}" "$(command -v uv || true)" "$PWD/.uv/bin/uv"; do
    if [ -n "$candidate" ] && usable "$candidate"; then
        printf '%s\n' "$candidate"
        exit 0
    fi
done

if ! "$python" -m pip --version >/dev/null 2>&1; then
    echo "uv $minimum or newer is missing, and $python has no pip to fetch it with: install uv, or set PYTHON=…" >&2
    exit 1
fi

# Into a folder of the checkout: nothing of the user's changes, and it works as well where the system's Python is
# "externally managed" or cannot make virtual environments.
echo "fetching uv into .uv/ …" >&2
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --upgrade --target .uv "uv>=$minimum" >&2
usable "$PWD/.uv/bin/uv"
printf '%s\n' "$PWD/.uv/bin/uv"
