"""Measures one contestant: `python -m benchmarks.fanout.worker NAME`.

Every line that it reads is `MEMBERS OTHERS`; every line that it prints is JSON: first the versions that it runs with,
then the CPU milliseconds of one event.
"""

import asyncio
import gc
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import machine

BATCH_SECONDS = 0.1


class Sink:
    def __init__(self) -> None:
        self.count = 0

    def write(self, frame: Any) -> None:
        self.count += 1


async def publish_often(publish: Callable[[], Awaitable[None]], sink: Sink, members: int, times: int) -> float:
    """Publish so many events, and check that every member got each. Returns the CPU milliseconds of one."""
    expected = sink.count + times * members
    started = time.process_time_ns()
    for _ in range(times):
        await publish()
    while sink.count < expected:  # noqa: ASYNC110 - there is nobody who could set an event
        await asyncio.sleep(0)
    spent = time.process_time_ns() - started
    assert sink.count == expected
    return spent / times / 1e6


def main() -> None:
    module: Any = importlib.import_module(f"benchmarks.fanout.contestants.{sys.argv[1]}")
    machine.pin(0)
    sinks: dict[str, tuple[Sink, Callable[[], Awaitable[None]]]] = {}
    print(json.dumps(machine.versions()), flush=True)
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            members, others = map(int, line.split())
            if line not in sinks:
                sink = Sink()
                sinks[line] = sink, runner.run(module.open_hub(members, others, sink.write))
                gc.collect()
                gc.freeze()  # a collection that goes through all connections is not what is measured
            sink, publish = sinks[line]
            once = runner.run(publish_often(publish, sink, members, 3))
            times = max(3, int(BATCH_SECONDS * 1e3 / once))
            print(json.dumps(runner.run(publish_often(publish, sink, members, times))), flush=True)


if __name__ == "__main__":
    main()
