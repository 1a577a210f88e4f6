"""What one action costs in process: raw text in, typed payload, one event out to the one who asked, nothing sent."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from benchmarks.environments import ROOT, Environment, prepare
from benchmarks.measuring import Figures, interleave

ROUNDS = 5
TURNS = 10
TITLE = "One action, in process"
EXPLANATION = (
    "Raw text in, typed payload, one event out to the one who asked, a transport that discards. CPU time, stock "
    "asyncio, one core. Medians, in brackets the medians of the lowest and of the highest round; less is better."
)


@dataclass(frozen=True)
class Contestant:
    """`name` is its module in `contestants/`."""

    name: str
    label: str
    environment: str = "current"


FLOOR, OURS = "floor", "ours"
CONTESTANTS = (
    Contestant("spliced", "second floor: payload spliced into a text envelope"),
    Contestant(FLOOR, "**floor**: pydantic alone"),
    Contestant("handwritten", "by hand, json, no validation"),
    Contestant(OURS, "**wsproto-core**"),
    Contestant("fastws", "FastWS, broker", "fastws"),
    Contestant("beeflow_fastapi", "beeflow-websocket, FastAPI endpoint"),
    Contestant("beeflow_flask", "beeflow-websocket, Flask endpoint"),
)


class Worker:
    """The process of one contestant, in its environment."""

    def __init__(self, contestant: Contestant) -> None:
        self.name = contestant.name
        self.versions: dict[str, str] = {}
        environment = Environment(contestant.environment)
        self.process = subprocess.Popen(
            environment.command("benchmarks.inprocess.worker", contestant.name),
            cwd=ROOT,
            env=environment.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=10)  # the end of its input ends it

    def wait_until_ready(self) -> None:
        self.versions = self._read()

    def measure(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> Any:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"the contestant {self.name} has ended; its error is above")
        return json.loads(line)


def run(only: Sequence[str], rounds: int | None) -> None:
    """Measure the contestants named in `only`, or all of them, and publish the table."""
    contestants = [one for one in CONTESTANTS if not only or one.name in only]
    prepare([one.environment for one in contestants])
    versions: dict[str, dict[str, str]] = {}
    measured = []
    for number in range(rounds or ROUNDS):
        print(f"in process: round {number + 1} of {rounds or ROUNDS}", file=sys.stderr)
        measured.append(_round(contestants, versions))
    figures = {one.name: Figures(tuple(tuple(turns[one.name]) for turns in measured)) for one in contestants}
    report.publish("inprocess", TITLE, EXPLANATION, _table(contestants, figures), versions, keep=not only)


def _round(contestants: Sequence[Contestant], versions: dict[str, dict[str, str]]) -> dict[str, list[float]]:
    """New processes, which then take their turns. Fills in `versions`, by environment."""
    with ExitStack() as stack:
        workers = {one.name: stack.enter_context(Worker(one)) for one in contestants}
        for one in contestants:
            workers[one.name].wait_until_ready()
            versions[one.environment] = workers[one.name].versions
        return interleave(list(workers), lambda name: workers[name].measure(), TURNS)


def _table(contestants: Sequence[Contestant], figures: dict[str, Figures]) -> str:
    bases = {base: title for base, title in ((FLOOR, "times the floor"), (OURS, "times ours")) if base in figures}
    rows = []
    for one in contestants:
        mine = figures[one.name]
        rows.append((one.label, mine.format(2), *(mine.over(figures[base]).format(2) for base in bases)))
    return report.table(("", "µs", *bases.values()), rows)
