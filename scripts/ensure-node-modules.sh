#!/bin/sh
# Installs what the tests need from npm, in the releases of the lock file, unless it is there. Prints the folder.
# $NODE_PYTHON is of an environment with our Node in it (default: .venv/bin/python); no other Node is used.
set -eu
cd "$(dirname "$0")/.."
exec "${NODE_PYTHON:-.venv/bin/python}" scripts/ensure_node_modules.py
