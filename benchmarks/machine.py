"""The machine: which cores a process may use, and what a report says about it."""

import os
import platform
import sysconfig
from importlib import metadata

_REPORTED = ("pydantic", "fastapi", "starlette", "uvicorn", "uvloop", "websockets", "beeflow-websocket", "fastws")


def allowed_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(place: int) -> None:
    """Keep this process on one core: 0 is the first that it may use, 1 the second. Where that cannot be, it roams."""
    if len(cores := allowed_cores()) > place:
        os.sched_setaffinity(0, {cores[place]})


def cpu_seconds(pid: int) -> float | None:
    """The CPU time, in user and kernel, that a process has used so far; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def description() -> str:
    cores = len(allowed_cores()) or os.cpu_count() or 1
    return f"{platform.system()} on {platform.machine()}, {cores} core{'s' * (cores > 1)}"


def versions() -> dict[str, str]:
    """Of this interpreter and of the packages that matter to a comparison."""
    found = {"python": platform.python_version() + ("" if _optimised() else " built without optimisation")}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _optimised() -> bool:
    return "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
