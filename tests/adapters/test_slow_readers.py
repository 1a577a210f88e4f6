"""What every host does with clients that do not read: they are held back or cut, and nobody else waits."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, Client, eventually, message

MiB = 1_048_576
# Compressed, what these tests send would be nothing.
PLAIN: dict[str, Any] = {"compression": None, "max_size": None}


async def test_unread_answers_stay_out_of_memory_and_nobody_waits(host: Host, serve: Serve) -> None:
    server = serve(host, send_timeout=2 * PATIENCE)
    async with server.connect(**PLAIN) as slow, server.connect(**PLAIN) as other:
        await slow.ask("count", {"size": MiB})
        await other.ask("count", {"size": MiB})
        before = server.inside()["peak_bytes"]
        slow.stop_reading()
        requests = [message("count", {"size": MiB}) for _ in range(64)]
        slow.write_messages(requests)
        for _ in range(20):
            await other.ask("count", {"size": 1_000})
        # That was in the meantime, and not after the slow one had been cut.
        assert "slow_consumers" not in server.inside()["counters"]
        assert server.inside()["peak_bytes"] - before < 64 * MiB
        slow.resume_reading()
        answers = [await slow.receive() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]
        assert [answer["seq"] for answer in answers] == list(range(2, 66))
        assert server.inside()["peak_bytes"] - before < 64 * MiB


@pytest.fixture(scope="module")
def impatient(one_host: Host, start: Callable[..., Server]) -> Iterator[Server]:
    """A server that soon gives up clients that do not read."""
    with start(one_host, send_timeout=0.5, outbox_messages=100) as running:
        yield running


async def test_a_client_that_does_not_read_is_cut(impatient: Server) -> None:
    cut = impatient.inside()["counters"].get("slow_consumers", 0)
    async with impatient.connect(**PLAIN) as slow, impatient.connect() as other:
        await slow.ask("health")
        slow.stop_reading()
        slow.write_messages(message("count", {"size": MiB}) for _ in range(64))
        await eventually(lambda: impatient.inside()["counters"].get("slow_consumers", 0) == cut + 1)
        assert await other.is_served()
        slow.resume_reading()
        code, reason, before = await slow.rest()
        assert (code, reason) == (1013, "Too slow: it has not read for 0.5 seconds. Connect again and read faster.")
        assert len(before) < 20


async def test_a_client_that_reads_too_slowly_is_cut_and_the_room_goes_on(impatient: Server, name: str) -> None:
    cut = impatient.inside()["counters"].get("slow_consumers", 0)
    async with impatient.connect(**PLAIN) as slow, impatient.connect(**PLAIN) as quick:
        connection_id = await slow.connection_id()
        for client in (slow, quick):
            await client.ask("chat.enter", {"name": name})
        async with impatient.connect() as sender:
            slow.stop_reading()
            reached = 0
            # In portions that an outbox has room for: on a machine that is busy, nobody is quick enough for more.
            for _ in range(25):
                sent = asyncio.create_task(sender.ask("flood", {"room": name, "count": 40, "size": 20_000}))
                assert [(await quick.receive())["payload"]["number"] for _ in range(40)] == list(range(40))
                reached += (await sent)["payload"]["number"]
            assert 1_000 < reached < 2_000
        slow.resume_reading()
        code, reason, before = await slow.rest()
        # What came before the cut came whole, in order, without a hole; then the cut, where it could still be told.
        assert [each["seq"] for each in before] == list(range(3, 3 + len(before)))
        assert (code, reason.partition(":")[0]) in {(1013, "Too slow"), (1006, "")}
        await eventually(lambda: connection_id not in impatient.inside()["connections"])
        assert impatient.inside()["counters"]["slow_consumers"] == cut + 1


async def test_who_waits_for_a_long_answer_is_not_slow_to_those_who_emit(host: Host, serve: Serve, name: str) -> None:
    server = serve(host, send_timeout=2 * PATIENCE)
    async with server.connect(**PLAIN) as client, server.connect() as sender:
        await client.ask("chat.enter", {"name": name})
        await sender.ask("health")
        client.stop_reading()
        asked = await client.send("count", {"count": 20, "size": MiB})
        # More of the answer waits by then than the outbox holds.
        for _ in range(5):
            assert (await sender.ask("flood", {"room": name, "count": 8, "size": 10_000}))["payload"]["number"] == 8
        client.resume_reading()
        received = [await client.receive() for _ in range(60)]
        assert [each["seq"] for each in received] == list(range(2, 62))
        answers = [each["payload"]["number"] for each in received if each.get("req_id") == asked]
        assert answers == list(range(20))
    assert "slow_consumers" not in server.inside()["counters"]


async def test_what_a_client_sends_while_its_action_runs_is_bounded(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, inbox=10)
    async with server.connect(**PLAIN) as client, server.connect() as other:
        await client.send("wait", {"name": name})
        before = server.inside()["peak_bytes"]
        requests = [message("health", {"x": "x" * 1_000_000}) for _ in range(32)]
        sending = asyncio.create_task(send_all(client, requests))
        for _ in range(20):
            assert await other.is_served()
        assert not sending.done()
        assert server.inside()["peak_bytes"] - before < 16 * MiB
        await other.send("open", {"name": name})
        await sending
        assert (await client.receive())["event"] == "passed"
        answers = [await client.receive() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]


async def send_all(client: Client, messages: list[dict[str, Any]]) -> None:
    for each in messages:
        await client.websocket.send(json.dumps(each))
