"""Many connections on one process: what they cost, and that they leave nothing behind; `make soak` runs more."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.client import Client, masked
from benchmarks.wire import dumps
from tests.adapters.conftest import Serve
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, eventually, message

KiB = 1_024
MiB = 1_048_576

ON_FASTAPI = """
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.adapters.applications.actions import Entered
from tests.adapters.applications.common import look_inside
from wsproto_core import room
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
hub = configure_websocket(app, autodiscover=False)


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id=1)


@app.websocket("/bare/")
async def bare(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


@app.get("/inside")
async def inside() -> dict[str, Any]:
    return look_inside(hub)


@app.get("/say/{name}")
async def say(name: str) -> int:
    return await hub.emit(Entered(room=name), to=room(name))
"""

ON_ASGI = """
from tests.adapters.applications import actions
from wsproto_asgi import WebSocketApp

ours = WebSocketApp(autodiscover=False, authenticate=lambda info: 1)


async def app(scope, receive, send):
    if scope["type"] != "websocket" or scope["path"] != "/bare/":
        await ours(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (received := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": received["text"]})
"""

# The whole form takes minutes, and as many descriptors as connections; the small one is for every run.
MANY = [300, pytest.param(5_000, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
SECONDS = [3, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]
PER_SECOND = 500


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Let this process, and the servers that it starts, open as many files as the system allows."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def connected(server: Server, path: str, number: int) -> Iterator[list[Client]]:
    """Open so many connections, each of which has been answered once."""
    question = masked(dumps(message("health")))
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = Client(server.port, path)
            stack.callback(client.close)
            client.send(question)
            clients.append(client)
            while client.read() is None:
                pass
        yield clients


def resident(server: Server) -> int:
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def rest_of(client: Client) -> bytes:
    """Read to the close frame; return that."""
    client.socket.settimeout(PATIENCE)
    data = b""
    while b"\x88" not in data:
        read = client.socket.recv(65_536)
        assert read, "the server hung up"
        data += read
    return data[data.index(b"\x88") :]


@pytest.mark.parametrize("number", MANY)
def test_many_connections_join_get_every_event_and_are_all_told_of_the_drain(serve: Serve, number: int) -> None:
    server = serve("app:app", source=ON_FASTAPI)
    with connected(server, "/ws/", number) as clients:
        enter = masked(dumps(message("chat.enter", {"name": "all"})))
        for client in clients:
            client.send(enter)
            while client.read() is None:
                pass
        started = time.perf_counter()
        assert server.get("/say/all") == number
        for client in clients:
            while (event := client.read()) is None:
                pass
            assert b'"seq":3,"event":"chat.entered"' in event
        print(f"\none event to {number:,} over sockets, read by one: {(time.perf_counter() - started) * 1e3:.0f} ms")
        assert len(server.inside()["connections"]) == number
        server.process.terminate()
        for client in clients:
            assert rest_of(client)[2:4] == (1012).to_bytes(2, "big")
            client.socket.shutdown(socket.SHUT_RDWR)
        server.process.wait(PATIENCE)
    assert "Traceback" not in server.log


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell the memory of a process")
@pytest.mark.parametrize("number", MANY)
@pytest.mark.parametrize("source", [ON_FASTAPI, ON_ASGI], ids=["fastapi", "asgi"])
def test_an_idle_connection_costs_little_more_than_a_bare_one(serve: Serve, source: str, number: int) -> None:
    def measure(path: str) -> float:
        server = serve("app:app", source=source)
        # What is imported and made once is there before the counting begins.
        with connected(server, path, 20):
            pass
        before = resident(server)
        with connected(server, path, number):
            return (resident(server) - before) / number / KiB

    bare, ours = measure("/bare/"), measure("/ws/")
    print(f"\nan idle connection of {number:,}: {ours:.1f} KiB, a bare one {bare:.1f} KiB")
    assert ours - bare < (5 if number > 1_000 else 16)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell the memory of a process")
@pytest.mark.parametrize("seconds", SECONDS)
async def test_who_comes_and_goes_leaves_nothing_behind(serve: Serve, seconds: int) -> None:
    server = serve("app:app", source=ON_FASTAPI)
    visit(server, PER_SECOND, 1.0)
    before = await at_rest(server)
    started = time.monotonic()
    visit(server, PER_SECOND * seconds, seconds)
    rate = PER_SECOND * seconds / (time.monotonic() - started)
    after = await at_rest(server)
    assert after["opened"] == before["opened"] + PER_SECOND * seconds
    assert (after["connections"], after["rooms"], after["topics"]) == ([], [], 0)
    assert after["tasks"] <= before["tasks"]
    grown = after["rss_bytes"] - before["rss_bytes"]
    print(f"\n{PER_SECOND * seconds:,} came and went, {rate:.0f} a second; memory grew by {grown / KiB:,.0f} KiB")
    assert grown < 8 * MiB
    assert "Traceback" not in server.log


def visit(server: Server, number: int, seconds: float) -> None:
    """Connect and leave so often in so many seconds, or slower where the machine is; half of them join first."""
    started = time.monotonic()
    ways: list[Callable[[Client], None]] = [leave, leave_from_a_room]
    for count in range(number):
        time.sleep(max(0.0, started + seconds * count / number - time.monotonic()))
        ways[count % 2](Client(server.port))


def leave(client: Client) -> None:
    client.close()


def leave_from_a_room(client: Client) -> None:
    client.send(masked(dumps(message("chat.enter", {"name": f"room {id(client)}"}))))
    while client.read() is None:
        pass
    client.close()


async def at_rest(server: Server) -> dict[str, Any]:
    """Wait until all who left are gone, with what they had running."""
    await eventually(lambda: (inside := server.inside())["connections"] == [] == inside["rooms"])
    fewest = server.inside()["tasks"]
    while (tasks := server.inside()["tasks"]) < fewest:
        fewest = tasks
    return server.inside()
