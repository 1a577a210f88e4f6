"""What connection managers of other libraries were seen to get wrong, on every host."""

import asyncio
from contextlib import AsyncExitStack

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import eventually


async def test_an_expired_connection_is_closed_on_the_wire_and_forgotten(host: Host, serve: Serve, name: str) -> None:
    """hawkapi-websockets forgets it and leaves its socket open; one that never spoke does not expire at all."""
    server = serve(host, idle_timeout=0.5)
    async with server.connect() as never_spoke, server.connect() as member:
        await member.ask("chat.enter", {"name": name})
        for client in (never_spoke, member):
            code, _ = await client.closed()
            assert code == 3008
            await asyncio.wait_for(client.websocket.wait_closed(), 30)
        await eventually(lambda: (inside := server.inside())["connections"] == inside["rooms"] == [])


async def test_dead_clients_do_not_hurt_a_broadcast(server: Server, name: str) -> None:
    """In FastWS the first failing client ends the broadcast for all who come after it."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.connect()) for _ in range(9)]
        for client in clients:
            await client.ask("chat.enter", {"name": name})
        for dead in clients[::3]:
            dead.reset()
        alive = [client for number, client in enumerate(clients) if number % 3]
        # Some are noticed before the first event, some while it is written, and some not yet.
        for _ in range(3):
            assert server.get(f"/say/{name}") >= len(alive)
        for client in alive:
            events = [await client.receive() for _ in range(3)]
            assert [event["event"] for event in events] == ["chat.entered"] * 3
            assert [event["seq"] for event in events] == [2, 3, 4]
        await eventually(lambda: server.get(f"/say/{name}") == len(alive))


async def test_a_drain_closes_every_connection_and_skips_none(host: Host, serve: Serve) -> None:
    """fastapi-distributed-websocket changes the list that it goes through, and skips every other connection."""
    server = serve(host)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.connect()) for _ in range(20)]
        for client in clients:
            await client.ask("health")
        server.process.terminate()
        assert {await client.closed() for client in clients} == {(1012, "The server restarts.")}
