"""What an idle connection takes of the server's memory."""

import resource
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.client import Client
from benchmarks.environments import prepare
from benchmarks.measuring import Figures, interleave
from benchmarks.servers import Server

ROUNDS = 3
CONNECTIONS = 2_000
TITLE = "Memory of an idle connection"
EXPLANATION = (
    f"{CONNECTIONS:,} connections to one server that say nothing; by how many KiB its resident memory has grown, for "
    "each. No compression. Medians, in brackets the lowest and the highest round; less is better. Linux only."
)
# The module in `servers/apps/`: environment, server, what it is called.
CONTESTANTS = {
    "asgi_echo": ("current", "uvicorn", "plain ASGI on uvicorn, by hand"),
    "asgi_ours": ("current", "uvicorn", "**wsproto-core on plain ASGI, uvicorn**"),
    "asgi_hub": ("current", "uvicorn", "**the same, each connection in a room**"),
    "fastapi_untyped": ("current", "uvicorn", "FastAPI on uvicorn, by hand"),
    "fastapi_ours": ("current", "uvicorn", "**wsproto-core on FastAPI, uvicorn**"),
    "websockets_untyped": ("current", "websockets", "websockets, by hand"),
    "websockets_ours": ("current", "websockets", "**wsproto-core on websockets**"),
    "channels_untyped": ("channels", "uvicorn", "Channels on uvicorn, by hand"),
    "channels_ours": ("channels", "uvicorn", "**wsproto-core on Channels, uvicorn**"),
}


def run(only: Sequence[str], rounds: int | None) -> None:
    """Measure the contestants named in `only`, or all of them, and publish the table."""
    contestants = {name: each for name, each in CONTESTANTS.items() if not only or name in only}
    prepare([environment for environment, _, _ in contestants.values()])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # of the servers as well, which inherit it
    versions: dict[str, dict[str, str]] = {}
    results = interleave(list(contestants), lambda name: _measure(name, versions), rounds or ROUNDS)
    rows = [
        (contestants[name][2], Figures(tuple((each,) for each in found)).format(1)) for name, found in results.items()
    ]
    report.publish("memory", TITLE, EXPLANATION, report.table(("", "KiB"), rows), versions, keep=not only)


def _measure(name: str, versions: dict[str, dict[str, str]]) -> float:
    environment, kind, _ = CONTESTANTS[name]
    with Server(name, environment, kind) as server:
        server.wait_until_ready()
        versions[environment] = server.versions
        clients = [Client(server.port) for _ in range(50)]  # what the first ones bring stays out
        time.sleep(0.3)
        before = _resident(server.pid)
        clients += [Client(server.port) for _ in range(CONNECTIONS)]
        time.sleep(0.3)
        grown = _resident(server.pid) - before
        for client in clients:
            client.close()
    return grown / CONNECTIONS


def _resident(pid: int) -> int:
    """KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])
