"""What every host does with clients that do not read: they are held back or cut, and nobody else waits."""

import asyncio
import json

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.talking import Client, eventually, message

MiB = 1_048_576


async def test_unread_answers_stay_out_of_memory_and_nobody_waits(host: Host, serve: Serve) -> None:
    server = serve(host)
    async with server.connect() as slow, server.connect() as other:
        await slow.ask("count", {"size": MiB})
        await other.ask("count", {"size": MiB})
        before = server.inside()["peak_bytes"]
        slow.stop_reading()
        requests = [message("count", {"size": MiB}) for _ in range(64)]
        slow.write_messages(requests)
        for _ in range(20):
            async with asyncio.timeout(2):
                await other.ask("count", {"size": 1_000})
        assert server.inside()["peak_bytes"] - before < 64 * MiB
        slow.resume_reading()
        answers = [await slow.receive() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]
        assert [answer["seq"] for answer in answers] == list(range(2, 66))
        assert server.inside()["peak_bytes"] - before < 64 * MiB


async def test_a_client_that_never_reads_is_cut(host: Host, serve: Serve) -> None:
    server = serve(host, send_timeout=0.3)
    async with server.connect() as slow, server.connect() as watcher:
        await watcher.watch()
        connection_id = await slow.connection_id()
        slow.stop_reading()
        slow.write_messages(message("count", {"size": MiB}) for _ in range(64))
        note = await watcher.noted("gone", connection_id)
        assert note["code"] == 1013
        assert server.inside()["counters"]["slow_consumers"] == 1
        assert await watcher.is_served()
        slow.reset()


async def test_a_client_that_reads_too_slowly_is_cut_and_the_room_goes_on(host: Host, serve: Serve, name: str) -> None:
    server = serve(host, outbox_messages=100)
    async with server.connect() as slow, server.connect() as quick, server.connect() as watcher:
        await watcher.watch()
        connection_id = await slow.connection_id()
        for client in (slow, quick):
            await client.ask("chat.enter", {"name": name})
        slow.stop_reading()
        flood = await watcher.send("flood", {"room": name, "count": 1_000, "size": 20_000})
        numbers = [(await quick.receive())["payload"]["number"] for _ in range(1_000)]
        assert numbers == list(range(1_000))
        while (received := await watcher.receive())["event"] != "counted":
            pass
        assert received["req_id"] == flood
        assert received["payload"]["number"] < 2_000
        slow.resume_reading()
        code, reason, before = await slow.rest()
        # What came before the cut came whole, in order, without a hole; then the cut, where it can still be told.
        assert [each["seq"] for each in before] == list(range(3, 3 + len(before)))
        assert (code, reason.partition(":")[0]) in {(1013, "Too slow"), (1006, "")}
        await eventually(lambda: connection_id not in server.inside()["connections"])
        assert server.inside()["counters"]["slow_consumers"] == 1


async def test_what_a_client_sends_while_its_action_runs_is_bounded(host: Host, serve: Serve, name: str) -> None:
    server = serve(host, inbox=10)
    async with server.connect(compression=None) as client, server.connect() as other:
        await client.send("wait", {"name": name})
        before = server.inside()["peak_bytes"]
        requests = [message("health", {"x": "x" * 1_000_000}) for _ in range(64)]
        sending = asyncio.create_task(send_all(client, requests))
        for _ in range(20):
            assert await other.is_served()
        assert not sending.done()
        assert server.inside()["peak_bytes"] - before < 32 * MiB
        await other.send("open", {"name": name})
        await sending
        assert (await client.receive())["event"] == "passed"
        answers = [await client.receive() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]


async def send_all(client: Client, messages: list[dict[str, object]]) -> None:
    for each in messages:
        await client.websocket.send(json.dumps(each))
