"""The machine: which cores a process may use, and what a report says about it."""

import math
import os
import platform
import sysconfig
import time
from importlib import metadata

_REPORTED = (
    "pydantic", "fastapi", "starlette", "uvicorn", "uvloop", "websockets",
    "channels", "daphne", "django", "flask", "flask-sock", "gunicorn", "beeflow-websocket", "fastws",
    "hawkapi-websockets", "fastapi-distributed-websocket", "redis", "hiredis", "nats-py", "channels-redis",
    "python-socketio",
)  # fmt: skip


def allowed_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin(place: int) -> None:
    """Keep this process on one core: 0 is the first that it may use, 1 the second. Where that cannot be, it roams."""
    if len(cores := allowed_cores()) > place:
        os.sched_setaffinity(0, {cores[place]})


def cpu_seconds(pid: int) -> float:
    """The CPU time, in user and kernel, that another process has used so far; not a number where nobody tells."""
    clock = ~pid << 3 | 2  # how Linux numbers the CPU clock of a process: clock_getcpuclockid(3), which Python lacks
    try:
        return time.clock_gettime(clock)
    except (AttributeError, OSError):
        return math.nan


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
