"""A small scenario of the simulation in `benchmarks/simulation`, played with real hubs on a real engine."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.simulation.counting import Counts, Plan, count
from benchmarks.simulation.world import Scenario, World
from tests.adapters.talking import eventually
from tests.core.peer import hub_of
from wsproto_core import Audience, Event, Registry, room, user
from wsproto_core.backplane import Backplane, Receiver
from wsproto_core.testing import connect

WORLD = World.of(Scenario(processes=4, connections=10, room_size=6))
SAID = WORLD.said(400)


class Said(Event, name="said", registry=Registry()):
    number: int


class Counting:
    """A backplane that passes everything on to another one, and counts."""

    def __init__(self, inner: Backplane) -> None:
        self.inner = inner
        self.received = 0
        self.subscriptions = 0
        self.stop = inner.stop
        self.unsubscribe = inner.unsubscribe
        self.publish = inner.publish

    async def start(self, receiver: Receiver) -> None:
        await self.inner.start(_CountingReceiver(receiver, self))

    async def subscribe(self, topic: str) -> None:
        self.subscriptions += 1
        await self.inner.subscribe(topic)


class _CountingReceiver:
    def __init__(self, inner: Receiver, counting: Counting) -> None:
        self._inner = inner
        self._counting = counting
        self.malformed = inner.malformed
        self.gap = inner.gap

    def __call__(self, topic: str, message: bytes) -> None:
        self._counting.received += 1
        self._inner(topic, message)


async def play(backplane: Callable[[], Backplane], plan: Plan) -> tuple[Counts, list[int]]:
    """Have every event of the scenario published; return what the simulation says, and what each process received."""
    expected = count(WORLD, SAID, plan)
    counting = [Counting(backplane()) for _ in range(WORLD.scenario.processes)]
    hubs = [hub_of(backplane=each) for each in counting]
    async with AsyncExitStack() as stack:
        for hub in hubs:
            stack.push_async_callback(hub.stop)
        clients = [
            await stack.enter_async_context(
                connect(hubs[each.process], user_id=int(_id(each.user)), rooms=[room(_id(name)) for name in each.rooms])
            )
            for each in WORLD.connections
        ]
        for number, (topic, speaker) in enumerate(SAID):
            await hubs[speaker].emit(Said(number=number), to=_audience(topic))
        await eventually(lambda: sum(each.received for each in counting) >= sum(expected.received))
        # Each connection got what was for it; what different processes say has no order.
        for client, each in zip(clients, WORLD.connections, strict=True):
            meant = [number for number, (topic, _) in enumerate(SAID) if topic in each.topics]
            assert sorted([(await client.expect(Said)).number for _ in meant]) == meant
        # And each process has two channels besides: its own, for single connections, and everyone's.
        channels = sum(map(len, WORLD.listeners.values())) + 2 * len(hubs)
        assert sum(each.subscriptions for each in counting) == channels
        return expected, [each.received for each in counting]


def _audience(topic: str) -> Audience:
    return room(_id(topic)) if topic.startswith("room/") else user(_id(topic))


def _id(topic: str) -> str:
    return topic.partition("/")[2]


def calls_of(commands: Sequence[dict[str, Any]], name: str) -> list[int]:
    """Return how often a command was called at each server, by ``INFO commandstats``."""
    return [each.get(f"cmdstat_{name}", {"calls": 0})["calls"] for each in commands]
