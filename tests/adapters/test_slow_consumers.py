"""A reader that stops while 20,000 events go to its room, under each policy: the others get all of theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, Client, eventually

pytestmark = pytest.mark.timeout(300)

MiB = 1_048_576
EVENTS = 20_000
BATCH = 100
SIZE = 4_000  # all of them are 80 MB: more than systems keep for a socket, more than the server may
KEYS = 10
OUTBOX = 200
# Compressed, what these tests send would be nothing.
PLAIN: dict[str, Any] = {"compression": None, "max_size": None}


@asynccontextmanager
async def poured(server: Server, name: str, events: int = EVENTS) -> AsyncIterator[Client]:
    """Give a client that does not read while events go to its room, of which two others read every one."""
    async with (
        server.connect(**PLAIN) as slow,
        server.connect(**PLAIN) as quick,
        server.connect(**PLAIN) as steady,
        server.connect(**PLAIN) as sender,
    ):
        for client in (slow, quick, steady):
            await client.ask("chat.enter", {"name": name})
        before = server.inside()["rss_bytes"]
        slow.stop_reading()
        for first in range(0, events, BATCH):
            request = {"room": name, "first": first, "count": BATCH, "size": SIZE, "keys": KEYS}
            # Whoever reads has read all of a batch before the next comes, however busy the machine is.
            assert (await sender.ask("pour", request))["payload"]["number"] >= 2 * BATCH
            for client in (quick, steady):
                for number in range(first, first + BATCH):
                    event = await client.receive()
                    assert (event["payload"]["number"], event["seq"]) == (number, number + 2)
        grown = server.inside()["rss_bytes"] - before
        assert grown < 24 * MiB, f"{grown:,} bytes for a client that does not read"
        yield slow


async def rest_after(slow: Client) -> list[dict[str, Any]]:
    """Let it read again; return the events that it gets, up to the answer to a question of its own."""
    slow.resume_reading()
    req_id = await slow.send("health")
    events = [await slow.receive()]
    while events[-1].get("req_id") != req_id:
        events.append(await slow.receive())
    return events


def holes_in(events: list[dict[str, Any]]) -> int:
    """Return how many numbers are left out between the first event of a room and the last; they rise, at least."""
    numbers = [1, *(event["seq"] for event in events)]
    assert numbers == sorted(set(numbers))
    return sum(after - before - 1 for before, after in pairwise(numbers))


async def test_close_cuts_the_slow_one_and_says_why(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, outbox_messages=OUTBOX, send_timeout=2 * PATIENCE)
    async with poured(server, name) as slow:
        assert server.inside()["counters"]["slow_consumers"] == 1
        slow.resume_reading()
        code, reason, before = await slow.rest()
        assert holes_in(before) == 0
        assert len(before) < EVENTS
        # A server that had to hang up first could not say it.
        assert (code, reason.partition(":")[0]) in {(1013, "Too slow"), (1006, "")}
    await eventually(lambda: not server.inside()["connections"])
    assert "lost_events" not in server.inside()["counters"]


async def test_drop_oldest_keeps_the_newest_and_shows_a_hole(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, outbox_messages=OUTBOX, send_timeout=2 * PATIENCE, slow_consumer="drop_oldest")
    async with poured(server, name) as slow:
        lost = server.inside()["counters"]["lost_events"]
        *events, answer = await rest_after(slow)
        assert answer["event"] == "health"
        assert len(events) + lost == EVENTS
        assert holes_in([*events, answer]) == lost > 0
        newest = [event["payload"]["number"] for event in events[-50:]]
        assert newest == list(range(EVENTS - 50, EVENTS))
        assert await slow.is_served()
        counters = server.inside()["counters"]
        assert (counters["lost_events"], counters.get("slow_consumers", 0)) == (lost, 0)


async def test_conflate_keeps_the_newest_of_each_key(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, outbox_messages=OUTBOX, send_timeout=2 * PATIENCE, slow_consumer="conflate")
    async with poured(server, name) as slow:
        lost = server.inside()["counters"]["lost_events"]
        *events, answer = await rest_after(slow)
        assert len(events) + lost == EVENTS
        assert holes_in([*events, answer]) == lost > 0
        newest = [event["payload"]["number"] for event in events[-KEYS:]]
        assert newest == list(range(EVENTS - KEYS, EVENTS))
        assert await slow.is_served()
        counters = server.inside()["counters"]
        assert (counters["lost_events"], counters.get("slow_consumers", 0)) == (lost, 0)
