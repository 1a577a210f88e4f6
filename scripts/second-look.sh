#!/bin/sh
# Runs tests that talk to real servers, several at a time, on a machine that may have others at work too. Where a few of
# them fail, each has to pass once more, alone; what it said the first time stands above. One that fails alone fails, and
# so does a run in which more than three did: scripts/second-look.sh PYTHON [options of pytest]
set -u
python=$1
shift
"$python" -m pytest --cache-clear "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status" # passed, or something is wrong that is no test
failed=$("$python" -c 'import json; print(len(json.load(open(".pytest_cache/v/cache/lastfailed"))))') || exit 1
[ "$failed" -le 3 ] || exit 1
printf '\n-- a second look at what failed, alone\n'
"$python" -m pytest "$@" -n 0 --last-failed || exit 1
printf '\n-- %s passed alone that failed among others: see above\n' "$failed"
