"""Tickets and presence in Redis: of several processes, of processes that were killed, and nothing that stays behind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.adapters.engines import PATIENCE, RedisServer, off_loop, redis_cluster, running
from tests.adapters.serving import Server
from tests.adapters.talking import Client
from tests.adapters.test_redis_faults import APPLICATION
from wsproto_core import Tickets
from wsproto_core.blocking import loop_thread
from wsproto_core.presence import MemoryPresenceStore, PresenceStore
from wsproto_core.testing.backplanes.engine import eventually
from wsproto_redis import RedisBackplane, RedisPresenceStore, RedisTicketStore

_names = itertools.count(1)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sequence[RedisServer]]]:
    with (
        running(RedisServer(tmp_path_factory.mktemp("redis"))) as server,
        redis_cluster(tmp_path_factory.mktemp("cluster")) as nodes,
    ):
        yield {"redis": [server], "redis+cluster": nodes}


@pytest.fixture(params=["redis", "redis+cluster"])
def redises(request: pytest.FixtureRequest, servers: dict[str, Sequence[RedisServer]]) -> Sequence[RedisServer]:
    for server in servers[request.param]:
        with server.client() as client:
            client.flushall()
    return servers[request.param]


@pytest.fixture
def url(redises: Sequence[RedisServer]) -> str:
    scheme = "redis" if len(redises) == 1 else "redis+cluster"
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in redises)
    return f"{scheme}://{hosts}?prefix=test{next(_names)}:"


@pytest.fixture
async def stores(url: str) -> AsyncIterator[tuple[RedisPresenceStore, RedisPresenceStore]]:
    one, other = RedisPresenceStore(url), RedisPresenceStore(url)
    yield one, other
    await one.aclose()
    await other.aclose()


def inspector(redises: Sequence[RedisServer]) -> redis.Redis | redis.RedisCluster:
    if len(redises) == 1:
        return redises[0].client()
    return redis.RedisCluster(host="127.0.0.1", port=redises[0].port, socket_timeout=PATIENCE)


async def keys(redises: Sequence[RedisServer]) -> list[str]:
    return [each for server in redises for each in await off_loop(server.held) if each.startswith("key")]


async def keys_and_connections(redises: Sequence[RedisServer]) -> set[str]:
    held = [each for server in redises for each in await off_loop(server.held)]
    return {each.rpartition(" ")[0] if each.startswith("connection") else each for each in held}


async def test_a_ticket_is_taken_once_by_any_process(url: str, redises: Sequence[RedisServer]) -> None:
    one, other = RedisTicketStore(url), RedisTicketStore(url)
    issuing, taking = Tickets(store=one), Tickets(store=other)
    ticket = await issuing.issue(42)
    assert all(ticket not in key for key in await keys(redises))
    answers = await asyncio.gather(*(taking.redeem(ticket) for _ in range(10)))
    assert [answer.user_id for answer in answers if answer is not None] == [42]
    assert await issuing.redeem(ticket) is None
    assert await keys(redises) == []
    await one.aclose()
    await other.aclose()


async def test_a_ticket_ends(url: str, redises: Sequence[RedisServer]) -> None:
    store = RedisTicketStore(url)
    await store.put("key", b"value", 0.05)

    async def is_gone() -> bool:
        return await keys(redises) == []

    await eventually(is_gone)
    assert await store.take("key") is None
    await store.aclose()


def test_a_ticket_can_be_issued_in_a_plain_function(url: str) -> None:
    store = RedisTicketStore(url)
    tickets = Tickets(store=store)
    ticket = tickets.issue_sync("ada")
    redeemed = asyncio.run(tickets.redeem(ticket))
    loop_thread.run(store.aclose())
    assert redeemed is not None
    assert redeemed.user_id == "ada"


async def test_members_are_seen_by_every_process(stores: tuple[PresenceStore, PresenceStore]) -> None:
    one, other = stores
    assert (await one.renew("p1", 30)).fresh
    second = await other.renew("p2", 30)
    assert (second.fresh, second.alive) == (True, {"p1", "p2"})
    assert not (await one.renew("p1", 30)).fresh
    await one.add("p1", [("room/a", "r1", 1), ("room/a", "r2", "ada"), ("room/ü {x}", "r1", 1)])
    await other.add("p2", [("room/a", "r3", 1)])
    for store in stores:
        assert sorted(await store.members("room/a"), key=str) == [("p1", "r1", 1), ("p1", "r2", "ada"), ("p2", "r3", 1)]
        assert await store.members("room/ü {x}") == [("p1", "r1", 1)]
        assert await store.members("room/b") == []
    await one.remove("p1", [("room/a", "r2", "ada"), ("room/never", "r2", "ada")])
    assert sorted(await other.members("room/a"), key=str) == [("p1", "r1", 1), ("p2", "r3", 1)]


async def test_a_process_that_leaves_takes_everything_along(
    stores: tuple[PresenceStore, PresenceStore], redises: Sequence[RedisServer]
) -> None:
    for store, process in zip(stores, ("p1", "p2"), strict=True):
        await store.renew(process, 30)
        await store.add(process, [(f"room/{number}", "ref", 1) for number in range(600)])
    await stores[0].leave("p1")
    assert await stores[1].members("room/7") == [("p2", "ref", 1)]
    await stores[1].leave("p2")
    await stores[1].leave("p2")
    assert await keys(redises) == []


async def test_who_was_killed_is_gone_with_its_lease_and_is_cleaned_up_by_the_others(
    stores: tuple[PresenceStore, PresenceStore], redises: Sequence[RedisServer]
) -> None:
    killed, alive = stores
    await killed.renew("killed", 0.2)
    await killed.add("killed", [("room/a", "r1", 1), ("room/b", "r1", 1)])
    await alive.renew("alive", 30)
    await alive.add("alive", [("room/a", "r2", 2)])

    async def is_gone() -> bool:
        return await alive.members("room/a") == [("alive", "r2", 2)]

    await eventually(is_gone)
    assert (await alive.renew("alive", 30)).alive == {"alive"}
    await alive.leave("alive")
    assert await keys(redises) == []


async def test_who_was_away_for_too_long_begins_anew(stores: tuple[PresenceStore, PresenceStore]) -> None:
    away, other = stores
    await away.renew("away", 0.2)
    await away.add("away", [("room/a", "r1", 1), ("room/a", "r2", 2)])

    async def is_over() -> bool:
        return await other.members("room/a") == []

    await eventually(is_over)
    assert (await away.renew("away", 30)).fresh
    assert await other.members("room/a") == []
    await away.add("away", [("room/a", "r1", 1)])
    await other.renew("other", 30)
    assert await other.members("room/a") == [("away", "r1", 1)]
    await away.leave("away")
    assert await other.members("room/a") == []


async def test_two_hundred_processes_that_were_killed_leave_nothing(url: str, redises: Sequence[RedisServer]) -> None:
    store = RedisPresenceStore(url)
    for number in range(200):
        await store.renew(f"p{number}", 0.001)
        await store.add(f"p{number}", [("room/a", "r", number), (f"room/{number}", "r", number)])

    async def is_clean() -> bool:
        await store.renew("last", 30)
        return (await store.renew("last", 30)).alive == {"last"}

    await eventually(is_clean)
    await store.renew("last", 30)
    await store.leave("last")
    assert await keys(redises) == []
    await store.aclose()


# Things that are no JSON, or that another version might put there.
GARBAGE = [b"", b"\xff", b"{", b"null", b"7", b'["a"]', b'["a", "b", "c"]', b'{"v": 2}', b"[1, 2]", b'["\\ud800", "b"]']
GARBAGE.append(b"[" * 100_000)


async def test_garbage_is_passed_over_and_told_once(
    stores: tuple[PresenceStore, PresenceStore],
    url: str,
    redises: Sequence[RedisServer],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = stores
    prefix = url.partition("prefix=")[2]
    await one.renew("p1", 30)
    await other.renew("p2", 0.05)
    await one.add("p1", [("room/a", "r1", 1)])
    await other.add("p2", [("room/a", "r2", 2)])

    def litter() -> None:
        with inspector(redises) as client:
            places = list(client.scan_iter(f"{prefix}{{presence}}:of:*"))
            assert len(places) == 2
            for garbage in GARBAGE:
                client.hset(f"{prefix}presence:room/a", garbage, '["", 1]')
                client.hset(f"{prefix}presence:room/a", f'["p1", "{garbage.hex()[:20]}"]', garbage)
                client.hset(f"{prefix}presence:room/a", '["p2", "r2"]', garbage)
                for each in (*places, f"{prefix}{{presence}}:left"):
                    client.sadd(each, garbage)
            client.zadd(f"{prefix}{{presence}}:leases", {b"\xff": 1e15})
            client.set(f"{prefix}presence:room/b", "no hash")

    await off_loop(litter)
    await one.add("p1", [("room/b", "r1", 1), ("room/c", "r1", 1)])
    assert await one.members("room/b") == []
    await one.remove("p1", [("room/b", "r1", 1)])

    async def is_alone() -> bool:
        return "p2" not in (await one.renew("p1", 30)).alive

    await eventually(is_alone)
    for _ in range(3):
        await one.renew("p1", 30)
        assert await one.members("room/a") == [("p1", "r1", 1)]
        assert await one.members("room/c") == [("p1", "r1", 1)]
    await one.leave("p1")
    assert await one.members("room/a") == []
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    names = ["presence:room/a", "presence:room/b", "{presence}:left", "{presence}:of:p1:", "{presence}:of:p2:"]
    for name in names:
        assert len([each for each in told if prefix + name in each]) == 1, (name, told)
    assert len(told) == len(names)


async def test_what_is_in_place_of_what_a_process_has_put_is_passed_over(
    stores: tuple[PresenceStore, PresenceStore], url: str, redises: Sequence[RedisServer]
) -> None:
    one, other = stores
    prefix = url.partition("prefix=")[2]
    await one.renew("p1", 30)
    await one.add("p1", [("room/a", "r1", 1)])

    def replace() -> None:
        with inspector(redises) as client:
            (place,) = client.scan_iter(f"{prefix}{{presence}}:of:*")
            client.delete(place)
            client.set(place, "no set")

    await off_loop(replace)
    await one.add("p1", [("room/a", "r2", 2)])
    await one.remove("p1", [("room/a", "r1", 1)])
    assert await other.members("room/a") == [("p1", "r2", 2)]
    await one.leave("p1")
    assert await other.members("room/a") == []


async def test_it_answers_as_the_one_in_memory_does(stores: tuple[PresenceStore, PresenceStore]) -> None:
    memory = MemoryPresenceStore()
    for store in (memory, stores[0]):
        await store.renew("p", 30)
        await store.add("p", [("t", "r", 1), ("t", "r", 1)])
        await store.add("p", [("t", "r", 1)])
        assert await store.members("t") == [("p", "r", 1)]
        await store.remove("p", [("t", "r", 1)])
        await store.remove("p", [("t", "r", 1)])
        assert await store.members("t") == []
        await store.leave("p")


async def test_a_backplane_has_a_store_through_its_own_connections(url: str, redises: Sequence[RedisServer]) -> None:
    before = await keys_and_connections(redises)
    backplane = RedisBackplane(url)
    store = backplane.presence_store()
    await store.renew("p", 30)
    await store.add("p", [("room/a", "r", 1)])
    assert await store.members("room/a") == [("p", "r", 1)]
    await store.leave("p")
    held = await keys_and_connections(redises) - before
    assert len(held) == len(redises), held
    await backplane.stop()


async def told(client: Client, event: str) -> dict[str, Any]:
    """Return the payload of the next event of a kind."""
    while (received := await client.receive()).get("event") != event:
        pass
    payload: dict[str, Any] = received["payload"]
    return payload


def users(members: dict[str, Any] | list[dict[str, Any]]) -> set[str]:
    return {str(each["user_id"]) for each in (members.values() if isinstance(members, dict) else members)}


async def test_who_is_present_in_other_processes_is_seen_and_whoever_was_killed_is_gone(
    url: str, redises: Sequence[RedisServer], tmp_path: Path
) -> None:
    environment = {"TEST_BACKPLANE": url}
    with Server(APPLICATION, tmp_path / "one", environment) as one, one_more(tmp_path, environment) as other:
        async with one.connect("/ws/?user=ada", subprotocols=["wsproto.v1.json"]) as ada:
            await ada.send("attend", {"room": "lobby"})
            assert users((await told(ada, "ws.presence_state"))["members"]) == {"ada"}
            async with other.connect("/ws/?user=bob", subprotocols=["wsproto.v1.json"]) as bob:
                await bob.send("attend", {"room": "lobby"})
                assert users((await told(bob, "ws.presence_state"))["members"]) == {"ada", "bob"}
                assert users((await told(ada, "ws.presence_diff"))["joins"]) == {"bob"}
                other.process.kill()
                await other.exit_code()
                assert users((await told(ada, "ws.presence_diff"))["leaves"]) == {"bob"}

    async def is_clean() -> bool:
        return await keys(redises) == []

    await eventually(is_clean)


@contextmanager
def one_more(folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    """A server that may be killed."""
    server = Server(APPLICATION, folder / "other", environment)
    try:
        yield server.__enter__()
    finally:
        server._kill()
