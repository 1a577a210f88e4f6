"""What every host does when its server is told to stop: running actions end, clients are told, nothing is left."""

import asyncio
import signal
from contextlib import AsyncExitStack

import pytest

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import Client
from websockets.exceptions import InvalidStatus

CLIENTS = 50
V1 = "wsproto.v1.json"

# As small as an application on a server can be: what ends it, ends any.
BARE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
"""


async def connect_all(stack: AsyncExitStack, server: Server) -> list[Client]:
    clients = [await stack.enter_async_context(server.connect()) for _ in range(CLIENTS)]
    for client in clients:
        await client.ask("health")
    return clients


async def exit_code_of_a_bare_application(serve: Serve, how: signal.Signals) -> int:
    bare = serve("app:app", source=BARE)
    bare.signal(how)
    return await bare.exit_code()


async def test_every_client_is_told_and_a_running_action_is_answered_first(
    host: Host, serve: Serve, name: str
) -> None:
    server = serve(host)
    async with AsyncExitStack() as stack:
        clients = await connect_all(stack, server)
        busy = [await stack.enter_async_context(server.connect()) for _ in range(3)]
        opted_in = await stack.enter_async_context(server.connect(subprotocols=[V1]))
        await opted_in.receive()
        for client, action in zip((*busy, opted_in), ("wait", "block", "wait", "wait"), strict=True):
            await client.watch() if client is not opted_in else None
            await client.send(action, {"name": name})
        # A frame for the handler that opens the gate comes too late for a draining server, so it opens by itself.
        await busy[0].send("health")
        server.signal(signal.SIGTERM)
        for client in clients:
            assert await client.closed() in {(1012, "The server restarts."), (1001, "The server restarts.")}
    assert await server.exit_code() == await exit_code_of_a_bare_application(serve, signal.SIGTERM)
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log
