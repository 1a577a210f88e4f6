import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from tests.core.peer import until
from wsproto_core import MemoryBackplane
from wsproto_core.presence import Entry, MemoryPresenceStore, Present, Renewal
from wsproto_core.presence_exchange import PresenceExchange
from wsproto_core.publications import PresenceChange
from wsproto_core.publisher import Publisher


class Store(MemoryPresenceStore):
    """Writes down what it is asked for, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.error: Exception | None = None

    def _step(self, what: str) -> None:
        self.steps.append(what)
        if self.error is not None:
            raise self.error

    async def renew(self, process: str, lease: float) -> Renewal:
        self._step("renew")
        return await super().renew(process, lease)

    async def add(self, process: str, entries: Sequence[Entry]) -> None:
        self._step(f"add {len(entries)}")
        await super().add(process, entries)

    async def remove(self, process: str, entries: Sequence[Entry]) -> None:
        self._step(f"remove {len(entries)}")
        await super().remove(process, entries)

    async def leave(self, process: str) -> None:
        self._step("leave")
        await super().leave(process)


class Process:
    """What a hub gives, and what another one hears."""

    def __init__(self, lease: float = 30.0) -> None:
        self.store = Store()
        self.own: list[Entry] = []
        self.wanted: set[str] = set()
        self.heard: list[tuple[tuple[Present, ...], tuple[Present, ...]]] = []
        self.living: list[frozenset[str]] = []
        self.publisher = Publisher(MemoryBackplane("exchange"), "hub", self.wanted.__contains__, lambda what: None)
        self.exchange = PresenceExchange(
            self.store,
            self.publisher,
            lease,
            own=lambda: self.own,
            needed=lambda: bool(self.own),
            alive=lambda alive, since: self.living.append(alive),
        )
        self.other = Publisher(MemoryBackplane("exchange"), "other", lambda _: True, lambda what: None)
        self.other.tell(self)

    def publication(self, _: Any) -> None: ...
    def disconnection(self, _: Any) -> None: ...
    def gap(self, _: Any) -> None: ...

    def presence(self, change: PresenceChange) -> None:
        self.heard.append((change.joins, change.leaves))

    @property
    def name(self) -> str:
        return self.exchange.process

    def come(self, topic: str, ref: str, user_id: int | str = 1) -> None:
        self.own.append((topic, ref, user_id))
        self.exchange.note((topic, ref, user_id), present=True)

    def go(self, topic: str, ref: str, user_id: int | str = 1) -> None:
        self.own.remove((topic, ref, user_id))
        self.exchange.note((topic, ref, user_id), present=False)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    begun: list[Process] = []

    async def start(lease: float = 30.0) -> Process:
        process = Process(lease)
        await process.publisher.start()
        await process.other.follow(["$presence/a", "$presence/b"])
        begun.append(process)
        return process

    yield start
    for process in begun:
        await process.exchange.stop()
        await process.publisher.stop()
        await process.other.stop()


async def test_what_changed_is_put_and_told(start: Callable[..., Any]) -> None:
    process = await start()
    await process.exchange.flush()
    assert process.store.steps == []
    process.come("a", "r1")
    process.come("b", "r1")
    await process.exchange.flush()
    assert await process.exchange.members("a") == [(process.name, "r1", 1)]
    assert process.heard == [(((process.name, "r1", 1),), ())] * 2
    process.go("a", "r1")
    await process.exchange.flush()
    assert await process.exchange.members("a") == []
    assert process.heard[2] == ((), ((process.name, "r1", 1),))
    assert process.living == [frozenset({process.name})]


async def test_who_comes_and_goes_at_once_is_nobody(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r1")
    process.come("a", "r2")
    process.go("a", "r1")
    await process.exchange.flush()
    process.go("a", "r2")
    process.come("a", "r2")
    await process.exchange.flush()
    assert process.heard == [(((process.name, "r2", 1),), ())]


async def test_who_looks_hears_what_comes_after_and_holds_a_lease(start: Callable[..., Any]) -> None:
    process = await start()
    await process.store.renew("q", 30)
    await process.store.add("q", [("a", "r9", 9)])
    process.wanted.add("$presence/a")
    assert await process.exchange.load("a") == [("q", "r9", 9)]
    assert process.living == [frozenset({process.name, "q"})]
    process.wanted.clear()
    await process.exchange.let_go("a")


async def test_a_store_that_fails_is_told_once_and_gets_it_all_later(
    start: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "wsproto_core.presence")
    process = await start()
    process.store.error = ConnectionError("away")
    process.come("a", "r1")
    for _ in range(2):
        await process.exchange.flush()
    await process.exchange.recover()
    assert process.heard == []
    assert [record.getMessage() for record in caplog.records] == [
        "the store of presence fails; other processes do not learn who comes and goes: ConnectionError('away')"
    ]
    process.store.error = None
    process.go("a", "r1")
    process.come("a", "r2")
    await process.exchange.recover()
    assert await process.exchange.members("a") == [(process.name, "r2", 1)]
    assert caplog.records[-1].getMessage() == "the store of presence works again"


async def test_a_store_that_lost_everything_gets_it_again_and_the_others_are_told(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r1")
    await process.exchange.flush()
    await process.store.leave(process.name)
    process.heard.clear()
    await process.exchange.recover()
    assert await process.exchange.members("a") == [(process.name, "r1", 1)]
    assert process.heard == [(((process.name, "r1", 1),), ())]


async def test_much_is_put_in_pieces(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_core.presence_exchange._CHUNK", 2)
    process = await start()
    process.own = [("a", f"r{number}", number) for number in range(5)]
    await process.exchange.recover()
    assert process.store.steps == ["renew", "add 2", "add 2", "add 1"]


async def test_when_too_much_waits_everything_is_put_anew(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.presence_exchange._MOST", 3)
    process = await start()
    process.come("a", "r0")
    await process.exchange.flush()
    process.store.error = ConnectionError("away")
    process.go("a", "r0")
    for number in range(1, 5):
        process.come("a", f"r{number}")
    await process.exchange.flush()
    process.store.error = None
    await process.exchange.flush()
    assert {ref for _, ref, _ in await process.exchange.members("a")} == {"r1", "r2", "r3", "r4"}


async def test_the_lease_is_renewed_while_it_is_needed_and_given_back_after(start: Callable[..., Any]) -> None:
    process = await start(lease=0.06)
    process.come("a", "r1")
    await process.exchange.flush()
    await until(lambda: process.store.steps.count("renew") > 3)
    process.go("a", "r1")
    await process.exchange.flush()
    await until(lambda: process.store.steps[-1] == "leave")
    assert process.store._leases == process.store._kept == {}
    process.come("a", "r2")
    await process.exchange.flush()
    assert await process.exchange.members("a") == [(process.name, "r2", 1)]


async def test_a_lease_that_ended_is_noticed_and_mended(start: Callable[..., Any]) -> None:
    process = await start(lease=0.06)
    process.come("a", "r1")
    await process.exchange.flush()
    await process.store.leave(process.name)
    await until(lambda: process.store._kept)
    assert process.heard[-1] == (((process.name, "r1", 1),), ())


async def test_after_a_stop_nothing_is_left_also_when_the_store_is_away(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r1")
    await process.exchange.flush()
    process.store.error = ConnectionError("away")
    await process.exchange.stop()
    await process.exchange.stop()
    assert process.store.steps[-1] == "leave"
    assert asyncio.all_tasks() == {asyncio.current_task()}
