"""What is measured: figures of this machine and this process, from the standard library alone."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsproto_core import Hub


@dataclass(frozen=True)
class Gauge:
    name: str
    title: str
    unit: str
    read: Callable[[], float]


class Processor:
    """The share of the processors' time that was used since the last look, in percent."""

    def __init__(self) -> None:
        self._busy, self._total = _processor_seconds()

    def __call__(self) -> float:
        busy, total = _processor_seconds()
        used, passed = busy - self._busy, total - self._total
        self._busy, self._total = busy, total
        return min(100.0, 100 * used / passed) if passed > 0 else 0.0


def _processor_seconds() -> tuple[float, float]:
    """Return what was used and what there was: of the machine on Linux, elsewhere of this process."""
    if sys.platform == "linux":
        user, nice, system, idle, waiting, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
        busy = user + nice + system + sum(rest)
        return busy, busy + idle + waiting
    return time.process_time(), time.perf_counter()


def memory() -> float:
    """Return what is in use: of the machine's memory on Linux, in percent; elsewhere this process's peak, in MiB."""
    if sys.platform == "linux":
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return 100 * (total - available) / total
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Late:
    """How late the event loop wakes us, in milliseconds: what every client of a busy process feels."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return 1000 * self.value


def gauges_of(hub: Hub, late: Late) -> dict[str, Gauge]:
    machine = sys.platform == "linux"
    gauges = [
        Gauge("processor", "Processor" if machine else "Processor, this program", "%", Processor()),
        Gauge("memory", "Memory" if machine else "Memory, this program", "%" if machine else "MiB", memory),
        Gauge("loop", "Event loop is late by", "ms", late),
        Gauge("connections", "Connections", "", lambda: len(hub.connections)),
        Gauge("lost", "Values left out, for slow readers", "", lambda: hub.stats().counters.get("lost_events", 0)),
    ]
    if hasattr(os, "getloadavg"):
        gauges.insert(2, Gauge("load", "Load in the last minute", "", lambda: os.getloadavg()[0]))
    return {gauge.name: gauge for gauge in gauges}
