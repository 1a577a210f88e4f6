"""Finds the Python interpreters on this machine that the project supports.

Prints a line for each, `3.12 3.12.1 /path/to/python`, the primary one first. The primary one is the Python that runs
this program, if it is supported, else the newest. `--primary` prints its path alone, `--summary` a line for people.

uv finds some of them by itself, but not those of pyenv. Runs on older Pythons than the project does, so that it can say
what is missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")

# Prints the version and the real executable: not a shim, nor the one of an activated environment, which may be the very
# environment that is about to be replaced. Only released builds of the ordinary CPython count.
PROBE = """
import os, platform, sys, sysconfig
if (
    sys.implementation.name == "cpython"
    and sys.version_info.releaselevel == "final"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
):
    print(platform.python_version(), os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
"""


def probe(python):
    """Return (minor, version, path) of an executable, or None if it does not run or is not supported."""
    try:
        answer = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, path = answer.stdout.strip().partition(" ")
    minor = ".".join(version.split(".")[:2])
    return (minor, version, path) if minor in SUPPORTED else None


def candidates():
    """Yield executables that may be supported interpreters."""
    for minor in SUPPORTED:
        found = shutil.which("python" + minor)
        if found:
            yield found
    roots = {os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")}
    if shutil.which("pyenv"):
        roots.add(subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip())
    for root in sorted(filter(None, roots)):
        yield from sorted(str(path) for path in Path(root).glob("versions/*/bin/python"))


def find():
    """Return (minor, version, path) for each supported minor version, the primary interpreter first."""
    newest = {}
    for minor, version, path in filter(None, map(probe, dict.fromkeys(candidates()))):
        patch = int(version.split(".")[2])
        if minor not in newest or patch > newest[minor][0]:
            newest[minor] = (patch, version, path)
    found = [(minor, *newest[minor][1:]) for minor in SUPPORTED if minor in newest]
    primary = probe(sys.executable) or (found[-1] if found else None)
    if primary is None:
        sys.exit("No supported Python found: one of {} is needed".format(", ".join(SUPPORTED)))
    return [primary, *(other for other in found if other[0] != primary[0])]


def main():
    """Print what was found, in the form that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--primary", action="store_true", help="print the path of the primary interpreter only")
    parser.add_argument("--summary", action="store_true", help="print a line for people")
    options = parser.parse_args()
    found = find()
    if options.primary:
        print(found[0][2])
    elif options.summary:
        missing = [minor for minor in SUPPORTED if minor not in {entry[0] for entry in found}]
        here = ", ".join(version for _, version, _ in found)
        print("Python {}{}".format(here, "; not on this machine: " + ", ".join(missing) if missing else ""))
    else:
        for entry in found:
            print(*entry)


if __name__ == "__main__":
    main()
