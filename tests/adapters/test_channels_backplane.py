"""The suite for backplanes on channel layers: the one in memory, and both of channels_redis on a real Redis."""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, channel_layers
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

if not settings.configured:
    settings.configure(CHANNEL_LAYERS={})

from tests.adapters.backplane_cases import cases_for
from tests.adapters.engines import RedisServer, off_loop, running
from wsproto_channels import ChannelLayerBackplane
from wsproto_channels.groups import group_of, publication_message
from wsproto_core import Event, Hub, Registry, Settings, room
from wsproto_core.testing import connect
from wsproto_core.testing.backplanes import Case, loops

_numbers = itertools.count(1)


class InMemory:
    """One layer, which is for one event loop."""

    abilities = frozenset({"filters", "poison", "inspect"})
    largest = 1 << 20

    def __init__(self) -> None:
        self._layer = InMemoryChannelLayer(capacity=100_000)

    def layer(self) -> BaseChannelLayer:
        return self._layer

    def backplane(self) -> ChannelLayerBackplane:
        alias = f"the suite, {next(_numbers)}"
        channel_layers.set(alias, self.layer())
        return ChannelLayerBackplane(alias)

    async def poison(self, topic: str, data: bytes) -> None:
        await self.layer().group_send(group_of(topic), publication_message(topic, data))

    async def left(self) -> Sequence[str]:
        return list(self._layer.groups)

    async def cut(self) -> None:
        raise AssertionError

    kill = revive = pause = resume = cut


class OnRedis(InMemory):
    """A layer for each process; messages are kept in lists."""

    abilities = frozenset({"filters", "poison", "inspect", "restart", "pause"})

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def layer(self) -> BaseChannelLayer:
        return RedisChannelLayer(hosts=[self._server.url], capacity=100_000)

    async def left(self) -> Sequence[str]:
        def ask() -> list[str]:
            with self._server.client() as client:
                return [*map(str, client.keys("*group*")), *map(str, client.pubsub_channels())]

        left: Sequence[str] = await off_loop(ask)
        return left

    async def kill(self) -> None:
        await off_loop(self._server.kill)

    async def revive(self) -> None:
        await off_loop(self._server.start)

    async def pause(self) -> None:
        await off_loop(self._server.pause)

    async def resume(self) -> None:
        await off_loop(self._server.resume)


class OnRedisPubSub(OnRedis):
    """A layer for each process; messages go to whoever listens.

    It connects again by itself, and tells nobody; and it leaves a task that polls.
    """

    abilities = frozenset({"filters", "poison"})

    def layer(self) -> BaseChannelLayer:
        layer: BaseChannelLayer = RedisPubSubChannelLayer(hosts=[self._server.url])
        return layer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(autouse=True)
def aliases() -> Iterator[None]:
    before = set(channel_layers.backends)
    yield
    for alias in set(channel_layers.backends) - before:
        del channel_layers.backends[alias]


# A layer in memory is for one event loop.
@cases_for(InMemory.abilities, without=[loops])
async def test_in_memory(case: Case) -> None:
    await case.check(InMemory())


@cases_for(OnRedis.abilities, without=[loops])
async def test_on_redis(case: Case, server: RedisServer) -> None:
    await case.check(OnRedis(server))


@cases_for(OnRedisPubSub.abilities, without=[loops])
async def test_on_redis_pubsub(case: Case, server: RedisServer) -> None:
    await case.check(OnRedisPubSub(server))


registry = Registry()


class Poured(Event, name="poured", registry=registry):
    speaker: int
    number: int


@pytest.mark.parametrize("kind", ["memory", "core"])
async def test_what_a_layer_drops_over_its_capacity_is_noticed(kind: str, server: RedisServer) -> None:
    shared = InMemoryChannelLayer(capacity=1)
    hubs = []
    for number in range(9):
        alias = f"small, {number}"
        channel_layers.set(alias, shared if kind == "memory" else RedisChannelLayer(hosts=[server.url], capacity=1))
        hubs.append(Hub(Settings(registry=registry, backplane=ChannelLayerBackplane(alias))))
    here, *others = hubs
    heard: list[tuple[int, int]] = []
    gaps = 0

    async def listen() -> None:
        nonlocal gaps
        while True:
            event = await client.receive()
            if event.event == "ws.gap":
                assert event.payload == {"topic": "room/lobby"}
                gaps += 1
            else:
                heard.append((event.payload["speaker"], event.payload["number"]))

    async def speak(speaker: int, hub: Hub) -> None:
        # Not all at the same moment each time, or it would always be the same ones that find no room.
        chance = random.Random(speaker)
        for number in range(500):
            for _ in range(chance.randint(0, 10)):
                await asyncio.sleep(0)
            if gaps == 0:
                await hub.emit(Poured(speaker=speaker, number=number), to=room("lobby"))

    async with connect(here, rooms=["lobby"]) as client:
        listening = asyncio.create_task(listen())
        await asyncio.gather(*(speak(*each) for each in enumerate(others)))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert gaps > 0
        assert here.stats().counters["gaps"] >= gaps
    for speaker in range(len(others)):
        numbers = [number for each, number in heard if each == speaker]
        assert numbers == sorted(set(numbers))
    for hub in hubs:
        await hub.stop()


async def test_a_burst_waits_in_bounds(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_channels.writing._MESSAGES", 10)
    backplane = OnRedis(server).backplane()
    results = await asyncio.gather(*(backplane.publish("room/a", b"hi") for _ in range(20)), return_exceptions=True)
    refused = [each for each in results if each is not None]
    assert [str(each) for each in refused] == [
        "the channel layer does not take messages as fast as they are published"
    ] * 10
