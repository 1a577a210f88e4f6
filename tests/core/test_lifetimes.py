import asyncio
import time

import pytest

from tests.core.peer import PLAIN, V1, hub_of, peer, until
from wsproto_core import CloseCode, Limits, Registry
from wsproto_core.lifetimes import Lifetime, ping_interval_of, silence_of


class Stub:
    """What a lifetime ends."""

    def __init__(self) -> None:
        self.is_busy = False
        self.ended: list[tuple[int, str]] = []

    def close(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))


@pytest.fixture
def stub() -> Stub:
    return Stub()


async def test_it_ends_with_age(stub: Stub) -> None:
    Lifetime(stub, asyncio.get_running_loop()).limit(0.01, None)
    await until(lambda: stub.ended)
    assert stub.ended == [(CloseCode.TIMEOUT, "The connection has reached its age limit; connect again.")]


async def test_who_never_spoke_is_silent(stub: Stub) -> None:
    begun = time.perf_counter()
    Lifetime(stub, asyncio.get_running_loop()).limit(None, 0.05)
    await until(lambda: stub.ended)
    assert time.perf_counter() - begun >= 0.05
    assert stub.ended == [(CloseCode.TIMEOUT, "Nothing came for too long; connect again.")]


async def test_who_is_heard_or_served_is_not_silent(stub: Stub) -> None:
    lifetime = Lifetime(stub, asyncio.get_running_loop())
    lifetime.limit(None, 1_000)
    lifetime.heard = time.perf_counter() - 999
    lifetime._listen()
    assert stub.ended == []
    stub.is_busy = True
    lifetime.heard -= 999
    lifetime._listen()
    assert stub.ended == []
    stub.is_busy = False
    lifetime.heard -= 1_000
    lifetime._listen()
    assert len(stub.ended) == 1
    lifetime.stop()


async def test_a_new_credential_takes_the_place_of_the_old(stub: Stub) -> None:
    lifetime = Lifetime(stub, asyncio.get_running_loop())
    lifetime.authenticate_within(0.01)
    lifetime.expire_at(time.time() + 1_000, 0)
    lifetime.expire_at(None, 0)
    lifetime.expire_at(time.time() - 1, 1.01)
    assert stub.ended == []
    await until(lambda: stub.ended)
    assert stub.ended == [(CloseCode.UNAUTHORIZED, "The credential has expired; connect with a new one.")]
    lifetime.stop()


async def test_what_is_stopped_ends_nothing(stub: Stub) -> None:
    lifetime = Lifetime(stub, asyncio.get_running_loop())
    lifetime.stop()
    lifetime.limit(0.001, 0.001)
    lifetime.authenticate_within(0.001)
    lifetime.stop()
    await asyncio.sleep(0.01)
    assert stub.ended == []


def test_who_is_told_to_speak_may_miss_two_beats() -> None:
    assert silence_of(Limits(), told_to_speak=True) is None
    assert silence_of(Limits(heartbeat_interval=30), told_to_speak=True) == 90
    assert silence_of(Limits(heartbeat_interval=30), told_to_speak=False) is None
    assert silence_of(Limits(heartbeat_interval=30, idle_timeout=60), told_to_speak=True) == 60
    assert silence_of(Limits(idle_timeout=60), told_to_speak=False) == 60


def test_a_client_is_told_to_speak_before_its_time_is_over() -> None:
    assert ping_interval_of(Limits()) is None
    assert ping_interval_of(Limits(idle_timeout=60)) == 30
    assert ping_interval_of(Limits(heartbeat_interval=20)) == 20
    assert ping_interval_of(Limits(heartbeat_interval=20, idle_timeout=10)) == 5


@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
async def test_a_silent_connection_is_closed_on_the_wire(subprotocols: tuple[str, ...]) -> None:
    hub = hub_of(limits=Limits(idle_timeout=0.05))
    async with peer(hub, subprotocols) as client:
        assert (await client.cut())[0] == CloseCode.TIMEOUT


async def test_a_client_that_speaks_stays() -> None:
    hub = hub_of(limits=Limits(idle_timeout=0.4))
    async with peer(hub) as client:
        ending = time.perf_counter() + 0.6
        while time.perf_counter() < ending:
            assert (await client.ask("health"))["event"] == "health"
            await asyncio.sleep(0.01)
        assert (await client.cut())[0] == CloseCode.TIMEOUT


async def test_a_client_that_waits_for_its_answer_is_not_silent() -> None:
    registry = Registry()
    release = asyncio.Event()

    @registry.action("wait")
    async def wait() -> None:
        await release.wait()

    hub = hub_of(registry, limits=Limits(idle_timeout=0.2))
    async with peer(hub, V1) as client:
        await client.send("wait")
        await asyncio.sleep(0.5)
        release.set()
        assert (await client.read())["event"] == "ws.complete"
        assert (await client.cut())[0] == CloseCode.TIMEOUT


async def test_every_connection_has_its_age() -> None:
    hub = hub_of(limits=Limits(max_lifetime=0.3))
    async with peer(hub) as client:
        assert (await client.ask("health"))["event"] == "health"
        assert (await client.cut())[0] == CloseCode.TIMEOUT


async def test_where_nothing_else_asks_a_client_that_opted_in_is_told_when_to_speak() -> None:
    hub = hub_of(limits=Limits(heartbeat_interval=0.02))
    async with peer(hub, V1) as told, peer(hub) as plain:
        assert (await told.cut())[0] == CloseCode.TIMEOUT
        assert plain.session.is_open
