"""Measures one contestant, a batch for each line that it is sent: `python -m benchmarks.inprocess.worker NAME`.

Every line that it prints is JSON: first the versions that it runs with, then the microseconds of one action.
"""

import asyncio
import importlib
import inspect
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks import machine
from benchmarks.wire import Wire

QUESTIONS = 1_000
WARM_UP_SECONDS = 0.2
BATCH_SECONDS = 0.04

Receive = Callable[[str], Awaitable[None] | None]


class Sink:
    """The transport that discards: it knows how many answers it was given, and the last one."""

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def write(self, answer: str) -> None:
        self.count += 1
        self.last = answer


class Contestant:
    """One open connection of a contestant, and its questions."""

    def __init__(self, name: str) -> None:
        module: Any = importlib.import_module(f"benchmarks.inprocess.contestants.{name}")
        self.wire: Wire = module.WIRE
        self.questions = [self.wire.ask() for _ in range(QUESTIONS)]
        self.sink = Sink()
        self.runner = asyncio.Runner()
        self.receive: Receive = self.runner.run(module.connect(self.sink.write))
        self.asked = 0
        self.waits = False
        self.ask_first()

    def ask_first(self) -> None:
        """Learn whether the contestant has to be awaited, and that it answers well."""
        outcome = self.receive(self.questions[0])
        self.asked = 1
        if inspect.isawaitable(outcome):
            self.waits = True
            self.runner.run(_finish(outcome, self.sink, self.asked))
        self.check(self.questions[0])

    def ask(self, count: int) -> float:
        """Ask that many questions. Returns the CPU time of one, in microseconds."""
        questions = (self.questions * (count // QUESTIONS + 1))[:count]
        self.asked += count
        start = time.process_time_ns()
        if self.waits:
            self.runner.run(_ask(self.receive, questions, self.sink, self.asked))
        else:
            for question in questions:
                self.receive(question)
        spent = time.process_time_ns() - start
        self.check(questions[-1])
        return spent / count / 1_000

    def check(self, question: str) -> None:
        assert self.sink.count == self.asked, f"{self.sink.count} answers to {self.asked} questions"
        self.wire.check(question, self.sink.last, self.asked)


async def _ask(receive: Any, questions: Sequence[str], sink: Sink, expected: int) -> None:
    for question in questions[:-1]:
        await receive(question)
    await _finish(receive(questions[-1]), sink, expected)


async def _finish(outcome: Awaitable[None], sink: Sink, expected: int) -> None:
    """A contestant may answer a little after it has taken the frame; that time is its time too."""
    await outcome
    while sink.count < expected:  # noqa: ASYNC110 - there is nobody who could set an event
        await asyncio.sleep(0)


def main() -> None:
    contestant = Contestant(sys.argv[1])
    machine.pin(0)
    end = time.monotonic() + WARM_UP_SECONDS
    while (microseconds := contestant.ask(QUESTIONS)) and time.monotonic() < end:
        pass
    batch = max(100, int(BATCH_SECONDS * 1_000_000 / microseconds))
    print(json.dumps(machine.versions()), flush=True)
    for _ in sys.stdin:
        contestant.ask(batch // 10)  # the others have had the caches in between
        print(json.dumps(contestant.ask(batch)), flush=True)


if __name__ == "__main__":
    main()
