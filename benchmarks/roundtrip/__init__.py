"""Round trips on a real server: connections that each have one message in flight, on one core of the server."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from benchmarks.environments import ROOT, Environment, prepare
from benchmarks.measuring import Figures, interleave
from benchmarks.servers import Server

ROUNDS = 11
SECONDS = 0.35
CONNECTIONS = 50
TITLE = f"Round trips on a real server, {CONNECTIONS} connections, one message in flight each"
EXPLANATION = (
    "One worker on one core (uvicorn with websockets-sansio and uvloop, daphne, gunicorn with threads, or websockets "
    "with uvloop; no compression), the load on another. Ratios are to what is written by hand without validation, on "
    "the same framework, server and environment, round by round: of the rates, and of what the server's CPU would "
    "allow. Medians, in brackets the lowest and the highest round; more is better."
)


@dataclass(frozen=True)
class Contestant:
    """`app` is its module in `benchmarks/servers/apps/`."""

    name: str
    app: str
    label: str
    environment: str = "current"
    wire: str = "envelope"
    control: str = "untyped"  # what it is compared with
    server: str = "uvicorn"


CHANNELS = ("channels", "envelope", "untyped_channels")
WEBSOCKETS = ("current", "envelope", "untyped_websockets", "websockets")
GUNICORN = ("current", "envelope", "untyped_flask", "gunicorn")
DAPHNE = ("channels", "envelope", "untyped_daphne", "daphne")
CONTESTANTS = (
    Contestant("untyped", "fastapi_untyped", "FastAPI, route by hand, json, no validation"),
    Contestant("typed", "fastapi_typed", "FastAPI, route by hand, typed with pydantic"),
    Contestant("ours", "fastapi_ours", "**wsproto-core on FastAPI**"),
    Contestant("beeflow", "fastapi_beeflow", "beeflow-websocket on FastAPI"),
    Contestant("asgi_echo", "asgi_echo", "plain ASGI, echo", wire="echo"),
    Contestant("asgi_typed", "asgi_typed", "plain ASGI by hand, typed with pydantic"),
    Contestant("asgi_ours", "asgi_ours", "**wsproto-core on plain ASGI**"),
    Contestant(
        "untyped_fastws",
        "fastapi_untyped",
        "FastAPI of FastWS, route by hand, no validation",
        "fastws",
        "envelope",
        "untyped_fastws",
    ),
    Contestant("fastws", "fastapi_fastws", "FastWS on its FastAPI", "fastws", "fastws", "untyped_fastws"),
    Contestant("untyped_websockets", "websockets_untyped", "websockets, handler by hand, no validation", *WEBSOCKETS),
    Contestant("websockets", "websockets_ours", "**wsproto-core on websockets**", *WEBSOCKETS),
    Contestant(
        "untyped_flask", "flask_untyped", "Flask on gunicorn, flask-sock route by hand, no validation", *GUNICORN
    ),
    Contestant("flask", "flask_ours", "**wsproto-core on Flask**", *GUNICORN),
    Contestant("beeflow_flask", "flask_beeflow", "beeflow-websocket on Flask", *GUNICORN),
    Contestant("untyped_channels", "channels_untyped", "Channels, consumer by hand, no validation", *CHANNELS),
    Contestant("channels", "channels_ours", "**wsproto-core on Channels**", *CHANNELS),
    Contestant("beeflow_channels", "channels_beeflow", "beeflow-websocket on Channels", *CHANNELS),
    Contestant("untyped_daphne", "channels_untyped", "Channels on daphne, consumer by hand, no validation", *DAPHNE),
    Contestant("daphne", "channels_ours", "**wsproto-core on Channels, daphne**", *DAPHNE),
    Contestant("beeflow_daphne", "channels_beeflow", "beeflow-websocket on Channels, daphne", *DAPHNE),
)


def run(only: Sequence[str], rounds: int | None) -> None:
    """Measure the contestants named in `only` and what they are compared with, or all, and publish the table."""
    wanted = {one.name for one in CONTESTANTS if not only or one.name in only}
    wanted |= {one.control for one in CONTESTANTS if one.name in wanted}
    contestants = [one for one in CONTESTANTS if one.name in wanted]
    prepare([one.environment for one in contestants])
    with ExitStack() as stack:
        servers = {one.name: stack.enter_context(Server(one.app, one.environment, one.server)) for one in contestants}
        for server in servers.values():
            server.wait_until_ready()
        wires = {one.name: one.wire for one in contestants}
        results = interleave(list(servers), lambda name: _measure(servers[name], wires[name]), rounds or ROUNDS)
    versions = {one.environment: servers[one.name].versions for one in contestants}
    busiest = max(one["own_share"] for found in results.values() for one in found)
    note = f"The load generator was busy for at most {busiest:.0%} of the time."
    report.publish(
        "roundtrip", TITLE, EXPLANATION, f"{_table(contestants, results)}\n\n{note}", versions, keep=not only
    )


def _measure(server: Server, wire: str) -> dict[str, Any]:
    environment = Environment("current")
    arguments = (str(server.port), str(server.pid), wire, str(CONNECTIONS), str(SECONDS))
    command = environment.command("benchmarks.roundtrip.load", *arguments)
    done = subprocess.run(
        command, cwd=ROOT, env=environment.variables(), stdout=subprocess.PIPE, check=False, timeout=60
    )
    if done.returncode != 0:
        raise SystemExit(f"the load on {server.app} failed; its error is above")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _table(contestants: Sequence[Contestant], results: dict[str, list[dict[str, Any]]]) -> str:
    rates = {name: _figures(found, "per_second") for name, found in results.items()}
    cpu = {name: _figures(found, "server_microseconds") for name, found in results.items()}
    rows = []
    for one in contestants:
        by_rate = rates[one.name].over(rates[one.control])
        by_cpu = cpu[one.control].over(cpu[one.name])
        rows.append(
            (one.label, by_rate.format(2), by_cpu.format(2), rates[one.name].format(0), cpu[one.name].format(1))
        )
    return report.table(("", "times by hand", "the same by CPU", "messages/s", "server's CPU, µs"), rows)


def _figures(results: list[dict[str, Any]], key: str) -> Figures:
    return Figures(tuple((one[key],) for one in results))
