"""One event to many connections: in process with transports that discard, and over sockets."""

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
from benchmarks.servers import Server

ROUNDS = 7
TITLE = "One event to many connections"
EXPLANATION = (
    "In process: CPU milliseconds of one event, with transports that discard; the loop by hand puts a number into each "
    "frame, as this library does, and does nothing else. Over sockets, with uvloop: the CPU time of the server until "
    "all have been told. Medians, in brackets the lowest and the highest round; less is better."
)
MEMBERS = (100, 1_000, 5_000)
OTHERS = (100, 1_000, 10_000, 100_000)
CONNECTIONS = (100, 1_000)


@dataclass(frozen=True)
class Contestant:
    """`name` is its module in `contestants/`."""

    name: str
    label: str
    environment: str = "current"


BASE, OURS, FILTERS = "loop", "ours", "filters"
CONTESTANTS = (
    Contestant(BASE, "loop by hand"),
    Contestant(OURS, "**wsproto-core**"),
    Contestant("hawkapi", "hawkapi-websockets", "hawkapi"),
    Contestant("fastws", "FastWS", "fastws"),
    Contestant("distributed", "fastapi-distributed-websocket", "distributed"),
)
# The module in `servers/apps/`, with the server and what it is called. Of a kind, the first is what others are held to.
SERVERS = {
    "websockets_loop": ("websockets", "websockets, loop of sends by hand, numbered"),
    "websockets_broadcast": ("websockets", "websockets.broadcast, one frame for all"),
    "websockets_hub": ("websockets", "**wsproto-core on websockets**"),
    "asgi_loop": ("uvicorn", "plain ASGI on uvicorn, loop of sends by hand, numbered"),
    "asgi_hub": ("uvicorn", "**wsproto-core on plain ASGI, uvicorn**"),
}
BASES = {"websockets": "websockets_loop", "uvicorn": "asgi_loop"}


class Worker:
    """The process of one contestant, in its environment."""

    def __init__(self, name: str, environment: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            Environment(environment).command("benchmarks.fanout.worker", name),
            cwd=ROOT,
            env=Environment.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions: dict[str, str] = self._read()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=60)  # the end of its input ends it

    def measure(self, members: int, others: int) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{members} {others}\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> Any:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"the contestant {self.name} has ended; its error is above")
        return json.loads(line)


def run(only: Sequence[str], rounds: int | None) -> None:
    """Measure the contestants named in `only`, or all of them, and publish the tables."""
    contestants = [one for one in CONTESTANTS if not only or one.name in only]
    prepare(["current", *(one.environment for one in contestants)])
    rounds = rounds or ROUNDS
    with ExitStack() as stack:
        workers = {one.name: stack.enter_context(Worker(one.name, one.environment)) for one in contestants}
        versions = {one.environment: workers[one.name].versions for one in contestants}
        tables = [
            "## In process, by members\n\n" + _table(contestants, workers, [(each, 0) for each in MEMBERS], rounds),
            "## In process, to a room of 10 among others\n\n"
            + _table(contestants, workers, [(10, each) for each in OTHERS], rounds),
        ]
    if not only:
        with Worker(FILTERS, "current") as worker:
            tables.append("## In process, to 10 among the filters of others\n\n" + _filters_table(worker, rounds))
        tables.append("## Over sockets, by connections\n\n" + _socket_table(rounds))
    report.publish("fanout", TITLE, EXPLANATION, "\n\n".join(tables), versions, keep=not only)


def _table(
    contestants: Sequence[Contestant], workers: dict[str, Worker], cases: Sequence[tuple[int, int]], rounds: int
) -> str:
    cells: dict[str, list[str]] = {one.name: [] for one in contestants}
    for members, others in cases:
        print(f"in process: {members} members, {others} others", file=sys.stderr)
        results = interleave(list(cells), lambda name, at=(members, others): workers[name].measure(*at), rounds)
        for name, found in results.items():
            cells[name].append(_figures(found).format(3))
    columns = [f"{others or members:,}" for members, others in cases]
    return report.table(("ms", *columns), [(one.label, *cells[one.name]) for one in contestants])


def _filters_table(worker: Worker, rounds: int) -> str:
    found = {others: _figures([worker.measure(10, others) for _ in range(rounds)]) for others in OTHERS}
    return report.table(
        ("ms", *(f"{others:,}" for others in OTHERS)),
        [("**wsproto-core**", *(each.format(3) for each in found.values()))],
    )


def _socket_table(rounds: int) -> str:
    rows: dict[str, list[str]] = {name: [] for name in SERVERS}
    for connections in CONNECTIONS:
        print(f"over sockets: {connections} connections", file=sys.stderr)
        with ExitStack() as stack:
            servers = {name: stack.enter_context(Server(name, "current", kind)) for name, (kind, _) in SERVERS.items()}
            for server in servers.values():
                server.wait_until_ready()
            results = interleave(
                list(SERVERS), lambda name, at=(servers, connections): _load(at[0][name], at[1]), rounds
            )
        figures = {name: _figures(found) for name, found in results.items()}
        for name, mine in figures.items():
            rows[name] += [mine.format(2), mine.over(figures[BASES[SERVERS[name][0]]]).format(2)]
    columns = [column for each in CONNECTIONS for column in (f"{each:,}: ms", "times the loop")]
    return report.table(("", *columns), [(SERVERS[name][1], *cells) for name, cells in rows.items()])


def _load(server: Server, connections: int) -> float:
    arguments = (str(server.port), str(server.pid), str(connections), str(max(5, 20_000 // connections)))
    command = Environment("current").command("benchmarks.fanout.load", *arguments)
    done = subprocess.run(
        command, cwd=ROOT, env=Environment.variables(), stdout=subprocess.PIPE, check=False, timeout=120
    )
    if done.returncode != 0:
        raise SystemExit(f"the load on {server.app} failed; its error is above")
    return float(json.loads(done.stdout)["server_milliseconds"])


def _figures(found: Sequence[float]) -> Figures:
    return Figures(tuple((each,) for each in found))
