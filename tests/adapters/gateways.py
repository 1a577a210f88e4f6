"""Gateways in processes of their own, and services behind them, in the test's process, where it sees all."""

import asyncio
import json
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server as LibraryServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.adapters.hosts import GRANIAN, GUNICORN, HYPERCORN, uvicorn
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE

ASGI = "tests.adapters.applications.on_gateway:app"
FASTAPI = "tests.adapters.applications.on_gateway_routes:app"
FLASK = "tests.adapters.applications.on_gateway_threads"

COMMANDS = {
    "uvicorn": (*uvicorn(), "--ws-max-size", "67108864"),
    "uvicorn-wsproto": uvicorn("--ws", "wsproto", "--loop", "asyncio"),
    "hypercorn": HYPERCORN,
    "granian": GRANIAN,
    "gunicorn": (*GUNICORN, "{application}"),
    "werkzeug": ("-m", "{application}", "{port}"),
}


def gateway(
    folder: Path, target: str | None, *, application: str = ASGI, server: str = "uvicorn", **options: Any
) -> Server:
    """Return a gateway that is not started yet."""
    arguments = {**options} if target is None else {"target": target, **options}
    command = [part.replace("{application}", application) for part in COMMANDS[server]]
    return Server(command, folder / f"gateway-{server}.log", {"TEST_GATEWAY": json.dumps(arguments)})


@dataclass
class Service:
    """A server of the websockets library that remembers its connections, and how each of them ended.

    Attributes:
        url: of it.
        connections: in the order they came.
        server: the library's.
    """

    url: str
    server: LibraryServer
    connections: list[ServerConnection] = field(default_factory=list)

    async def newest(self) -> ServerConnection:
        """Wait for a connection, and return the newest."""
        async with asyncio.timeout(PATIENCE):
            while not self.connections:  # noqa: ASYNC110 - the library's server makes them
                await asyncio.sleep(0.01)
        return self.connections[-1]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def service(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[Service]:
    """Run a service; its handler is called for each connection, and ends with it."""

    async def handle(connection: ServerConnection) -> None:
        running.connections.append(connection)
        with suppress(ConnectionClosed):
            await handler(connection)

    async with serve(handle, "127.0.0.1", 0, **{"max_size": None, **options}) as server:
        host, port = server.sockets[0].getsockname()[:2]
        running = Service(f"ws://{host}:{port}", server)
        yield running


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect a plain client; compressed, what some tests send would be nothing."""
    options = {
        "proxy": None,
        "compression": None,
        "open_timeout": PATIENCE,
        "close_timeout": PATIENCE,
        "max_size": None,
        **options,
    }
    async with connect(url, **options) as connection:
        yield connection


async def ended(connection: ClientConnection | ServerConnection) -> tuple[int, str]:
    """Wait until the other side has closed; return its code and reason, 1006 where it sent none."""
    async with asyncio.timeout(PATIENCE):
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else (1006, "")


def process_service(folder: Path, body: str) -> Server:
    """Return a service in a process of its own, to be killed or stopped; ``handle(connection)`` is in the text."""
    source = f"""
import asyncio, sys
from websockets.asyncio.server import serve

{textwrap.dedent(body)}

async def main():
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), max_size=None, ping_interval=None) as server:
        await server.serve_forever()

asyncio.run(main())
"""
    (folder / "service.py").write_text(source)
    return Server([str(folder / "service.py"), "{port}"], folder / "service.log", {}, program=sys.executable)


@asynccontextmanager
async def raw_service(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> Any:
    """Run a service that speaks bytes; gives its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await answer(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def unused_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def subprotocols_of(connection: ServerConnection) -> Sequence[str]:
    """Return what was offered, as it came."""
    assert connection.request is not None
    return connection.request.headers.get_all("Sec-WebSocket-Protocol")


async def headers_at(connection: ServerConnection) -> None:
    assert connection.request is not None
    await connection.send(json.dumps([connection.request.path, list(connection.request.headers.raw_items())]))
    await connection.wait_closed()


async def seen_by_service(url: str, **options: Any) -> tuple[str, list[tuple[str, str]]]:
    async with client(url, **options) as here:
        path, headers = json.loads(await here.recv())
        return path, [(name.lower(), value) for name, value in headers]


async def problem_of(server: Server, path: str = "/") -> dict[str, Any]:
    refused = await server.refusal(path)
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(refused.body or b"")
    assert problem["status"] == refused.status_code
    return problem


async def settled(look: Callable[[], int]) -> None:
    """Wait until a number is above 0, and has been the same for a second."""
    async with asyncio.timeout(PATIENCE):
        before = -1
        while before <= 0 or before != look():
            before = look()
            await asyncio.sleep(1)
