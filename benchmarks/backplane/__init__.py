"""From process A to a client of process B: how long it takes, how much goes through, and what doing nothing costs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import machine, report
from benchmarks.backplane.control import ROOM
from benchmarks.backplane.load import Member
from benchmarks.engines import Engine
from benchmarks.environments import ROOT, Environment, prepare
from benchmarks.measuring import Figures, interleave
from benchmarks.servers import Server

ROUNDS = 5
ELSEWHERE = "elsewhere"
IDLE_SECONDS = 30.0
TITLE = "From one process to a client of another"
EXPLANATION = (
    "Two servers (uvicorn with websockets-sansio and uvloop) on a core each, an engine, and a client of each; "
    "process A publishes to the room that the client of process B is in, the client of A is in another. Latency "
    "is from the call that publishes to the arrival of the frame, one message at a time. Messages/s are those of "
    "20 publishers in A, each of which waits until its call has returned. CPU is what one of those messages costs"
    " A and B; by it, the busier of the two bounds the rate. Ratios are to redis-py by hand, round by round: less"
    " is better for latency, more for messages/s. Medians, in brackets the lowest and the highest round."
)


@dataclass(frozen=True)
class Contestant:
    """`app` is its module in `benchmarks/servers/apps/`, `path` where its WebSockets are."""

    name: str
    app: str
    label: str
    engine: str = "redis"
    path: str = "/ws/"


BASE = "byhand"
CONTESTANTS = (
    Contestant(BASE, "backplane_byhand", "redis-py by hand"),
    Contestant("ours", "backplane_ours", "**wsproto-core, Redis**"),
    Contestant("ours_nats", "backplane_ours", "**wsproto-core, NATS**", "nats"),
    Contestant("ours_layer", "backplane_layer", "**wsproto-core, Channels' pubsub layer**"),
    Contestant("hawkapi", "backplane_hawkapi", "hawkapi-websockets"),
    Contestant("socketio", "backplane_socketio", "python-socketio", path="/socket.io/"),
    Contestant("distributed", "backplane_distributed", "fastapi-distributed-websocket"),
    Contestant("channels_pubsub", "backplane_channels_pubsub", "Channels, pubsub layer of channels_redis"),
    Contestant("channels_core", "backplane_channels_core", "Channels, core layer of channels_redis"),
)


def run(only: Sequence[str], rounds: int | None) -> None:
    """Measure the contestants named in `only` beside the one by hand, or all, and publish the tables."""
    contestants = [one for one in CONTESTANTS if not only or one.name in {*only, BASE}]
    by_name = {one.name: one for one in contestants}
    prepare(["backplane", "current"])
    versions: dict[str, dict[str, str]] = {}
    with ExitStack() as stack:
        kinds = dict.fromkeys(one.engine for one in contestants)
        engines = {kind: stack.enter_context(Engine(kind)) for kind in kinds}
        results = interleave(list(by_name), lambda name: _measure(by_name[name], engines, versions), rounds or ROUNDS)
        idle = _idle(contestants, engines)
        versions["engines"] = {f"{kind}-server": engine.version for kind, engine in engines.items()}
    lost = [
        f"{by_name[name].label} lost {max(each['lost'] for each in found):.1%} of the messages in its worst round"
        for name, found in results.items()
        if any(each["lost"] for each in found)
    ]
    notes = "; ".join(lost) + "." if lost else "Nothing was lost."
    body = f"{_table(contestants, results, idle)}\n\n{notes}"
    report.publish("backplane", TITLE, EXPLANATION, body, versions, keep=not only)


def _measure(one: Contestant, engines: dict[str, Engine], versions: dict[str, dict[str, str]]) -> dict[str, Any]:
    """One turn, with servers of its own: some contestants are busy when there is nothing to do."""
    with ExitStack() as stack:
        servers = _pair(one, engines, stack)
        versions["backplane"] = servers[0].versions
        environment = Environment("current")
        ports, pids = [str(each.port) for each in servers], [str(each.pid) for each in servers]
        command = environment.command("benchmarks.backplane.load", one.path, *ports, *pids)
        done = subprocess.run(
            command, cwd=ROOT, env=environment.variables(), stdout=subprocess.PIPE, check=False, timeout=120
        )
    if done.returncode != 0:
        raise SystemExit(f"the load on {one.app} failed; its error is above")
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{one.name}: {result['p50']:.2f} ms, {result['per_second']:,.0f} messages/s", file=sys.stderr)
    return result


def _pair(one: Contestant, engines: dict[str, Engine], stack: ExitStack) -> list[Server]:
    url = engines[one.engine].url
    rooms = (ELSEWHERE, ROOM)
    servers = [
        stack.enter_context(
            Server(one.app, "backplane", core=core, variables={"BENCH_ENGINE": url, "BENCH_ROOM": members_room})
        )
        for core, members_room in enumerate(rooms)
    ]
    for server in servers:
        server.wait_until_ready()
    return servers


def _idle(contestants: Sequence[Contestant], engines: dict[str, Engine]) -> dict[str, float]:
    """The CPU milliseconds of half a minute in which a process is connected, and nothing happens."""
    with ExitStack() as stack:
        pids: dict[str, int] = {}
        for one in contestants:
            here, there = _pair(one, engines, stack)
            # Some connect to their engine only when there is somebody.
            stack.enter_context(_members(one, here, there))
            pids[one.name] = there.pid
        time.sleep(1)
        before = {name: machine.cpu_seconds(pid) for name, pid in pids.items()}
        time.sleep(IDLE_SECONDS)
        return {name: (machine.cpu_seconds(pid) - before[name]) * 1e3 for name, pid in pids.items()}


@contextmanager
def _members(one: Contestant, *servers: Server) -> Iterator[None]:
    """A member in each of two servers, until the end."""
    with ExitStack() as stack:
        for server in servers:
            stack.callback(Member(one.path, server.port).close)
        yield


def _table(contestants: Sequence[Contestant], results: dict[str, list[dict[str, Any]]], idle: dict[str, float]) -> str:
    p50, p99, rates = (
        {name: _figures(found, key) for name, found in results.items()} for key in ("p50", "p99", "per_second")
    )
    rows = []
    for one in contestants:
        name = one.name
        cpu = [f"{_figures(results[name], key).median:.0f}" for key in ("publisher", "receiver")]
        by_cpu = _busier(results[BASE]).over(_busier(results[name]))
        rows.append((
            one.label,
            p50[name].format(2),
            p50[name].over(p50[BASE]).format(2),
            f"{p99[name].median:.2f}",
            rates[name].format(0),
            rates[name].over(rates[BASE]).format(2),
            by_cpu.format(2),
            " + ".join(cpu),
            f"{idle[name]:,.0f}",
        ))  # fmt: skip
    columns = (
        "",
        "p50, ms",
        "times by hand",
        "p99, ms",
        "messages/s",
        "times by hand",
        "the same by CPU",
        "CPU of A + B, µs",
    )
    return report.table((*columns, f"idle CPU in {IDLE_SECONDS:.0f} s, ms"), rows)


def _busier(results: list[dict[str, Any]]) -> Figures:
    return Figures(tuple((max(one["publisher"], one["receiver"]),) for one in results))


def _figures(results: list[dict[str, Any]], key: str) -> Figures:
    return Figures(tuple((one[key],) for one in results))
