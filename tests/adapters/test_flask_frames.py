"""What simple-websocket does with frames, and wsproto_flask does not: writes in pieces, input without bounds."""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterator

import pytest
from websockets.frames import Frame, Opcode

from tests.adapters.conftest import Serve
from tests.adapters.hosts import HOSTS
from tests.adapters.serving import Server
from tests.adapters.talking import Client, message, text_frame

MiB = 1_048_576

FLASK = next(host for host in HOSTS if host.name == "flask")


@pytest.fixture(scope="module")
def server(start: Callable[..., Server]) -> Iterator[Server]:
    # Room for a large answer and the events behind it: this is not about clients that are too slow.
    with start(FLASK, send_timeout=20, outbox_bytes=8 * MiB) as running:
        yield running


async def test_large_frames_arrive_whole_while_the_client_pings(server: Server) -> None:
    async with server.connect(max_size=None, compression=None) as client, server.connect(compression=None) as other:
        req_id = await client.send("count", {"count": 40, "size": 2 * MiB})
        pings = [asyncio.create_task(ping_often(client)) for _ in range(2)]
        for number in range(40):
            answer = await client.receive()
            assert (answer["req_id"], answer["seq"], answer["payload"]["number"]) == (req_id, number + 1, number)
            assert len(answer["payload"]["filler"]) == 2 * MiB
        for each in pings:
            each.cancel()
        assert await other.is_served()


async def ping_often(client: Client) -> None:
    while True:
        await (await client.websocket.ping())


async def test_events_of_others_do_not_break_into_a_frame(server: Server, name: str) -> None:
    async with server.connect(max_size=None, compression=None) as client, server.connect() as other:
        await client.ask("chat.enter", {"name": name})
        await client.send("count", {"count": 20, "size": MiB})
        await other.send("flood", {"room": name, "count": 100, "size": 100})
        received = [await client.receive() for _ in range(120)]
    assert [each["seq"] for each in received] == list(range(2, 122))
    assert [each["payload"]["number"] for each in received if "req_id" in each] == list(range(20))


async def test_frames_that_nobody_handles_yet_stay_in_the_kernel(server: Server, name: str) -> None:
    async with server.connect(compression=None) as client, server.connect() as other:
        await client.send("wait", {"name": name})
        assert await other.is_served()
        before = server.inside()["peak_bytes"]
        frame = text_frame(json.dumps(message("health", {"x": "x" * 4_000}))).serialize(mask=True)
        client.write_bytes(frame * 50_000)
        for _ in range(20):
            assert await other.is_served()
        assert server.inside()["peak_bytes"] - before < 32 * MiB
        # Where reading has stopped, the end is seen only when it goes on.
        client.reset()
        server.get(f"/open/{name}")


async def test_what_inflates_to_too_much_is_not_inflated(server: Server) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b" " * 256 * MiB) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 300_000
    async with server.connect() as client, server.connect() as other:
        assert await other.is_served()
        before = server.inside()["peak_bytes"]
        frame = Frame(Opcode.TEXT, bomb[:-4]).serialize(mask=True)
        client.write_bytes(bytes([frame[0] | 0x40]) + frame[1:])  # the bit that says: compressed
        code, _, answers = await client.rest()
        assert (code, [answer["code"] for answer in answers]) == (1009, ["message_too_large"])
        assert server.inside()["peak_bytes"] - before < 48 * MiB
        assert await other.is_served()


async def test_after_a_message_that_is_too_long_nothing_of_it_stays(server: Server) -> None:
    before = server.inside()["threads"]
    for _ in range(5):
        async with server.connect() as client:
            await client.websocket.send("x" * (MiB + 1))
            assert (await client.rest())[0] == 1009
    assert server.inside()["connections"] == []
    # A thread of gunicorn's pool stays, and that is all.
    assert server.inside()["threads"] <= before + 1


async def test_an_action_that_blocks_too_long_is_ended_at_once_and_the_next_waits_for_it(
    serve: Serve, name: str
) -> None:
    server = serve(FLASK, action_timeout=0.3)
    async with server.connect() as client, server.connect() as other:
        req_id = await client.send("block", {"name": name})
        later = await client.send("health")
        problem = await client.receive()
        assert (problem["req_id"], problem["code"], problem["status"]) == (req_id, "action_timeout", 504)
        await other.send("open", {"name": name})
        answer = await client.receive()
        # What the action gave in the end is dropped, and has no number.
        assert (answer["req_id"], answer["seq"]) == (later, 1)
        for number in range(2, 5):
            assert (await client.ask("health"))["seq"] == number


async def test_a_blocking_action_can_be_cancelled(server: Server, name: str) -> None:
    async with server.connect(subprotocols=["wsproto.v1.json"]) as client, server.connect() as other:
        await client.receive()
        blocked = await client.send("block", {"name": name})
        cancel = await client.send("ws.cancel", {"req_id": blocked})
        ends = [await client.receive() for _ in range(2)]
        assert {end["req_id"]: end.get("code") or end["event"] for end in ends} == {
            blocked: "cancelled",
            cancel: "ws.complete",
        }
        await other.send("open", {"name": name})


async def test_pings_are_answered_while_an_action_blocks(server: Server, name: str) -> None:
    async with server.connect() as client, server.connect() as other:
        await client.send("block", {"name": name})
        async with asyncio.timeout(5):
            await (await client.websocket.ping())
        await other.send("open", {"name": name})
