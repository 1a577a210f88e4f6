"""What the hub does with many connections, on every host: disconnecting and draining."""

import signal

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import eventually
from wsproto_core.codec import V1_JSON


async def test_a_room_is_disconnected_on_the_wire_and_nobody_else(server: Server, name: str) -> None:
    async with server.connect() as first, server.connect() as second, server.connect() as host:
        for client in (first, second):
            await client.ask("chat.enter", {"name": name})
        kicked = await host.ask("kick", {"room": name, "code": 4123, "reason": "The room is closed."})
        assert kicked["payload"]["number"] == 2
        for client in (first, second):
            assert await client.closed() == (4123, "The room is closed.")
        assert await host.is_served()
        await eventually(lambda: name not in server.inside()["rooms"])
        assert (await host.ask("kick", {"room": name, "code": 4123, "reason": ""}))["payload"]["number"] == 0


async def test_clients_that_opted_in_are_told_of_the_drain_before_the_close(host: Host, serve: Serve) -> None:
    server = serve(host)
    async with (
        server.connect(subprotocols=[V1_JSON]) as opted_in,
        server.connect(subprotocols=[V1_JSON]) as another,
        server.connect() as plain,
    ):
        for client in (opted_in, another):
            assert (await client.receive())["event"] == "ws.ready"
        await plain.ask("health")
        server.signal(signal.SIGTERM)
        for client in (opted_in, another):
            drain = await client.receive()
            assert (drain["event"], drain["seq"]) == ("ws.drain", 2)
            assert 0 <= drain["payload"]["retry_after"] <= 1
            assert await client.closed() == (1012, "The server restarts.")
        assert await plain.closed() == (1012, "The server restarts.")
