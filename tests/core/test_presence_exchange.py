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
from wsproto_core.tasks import cancel_and_wait


class Store(MemoryPresenceStore):
    """Writes down what it is asked for, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.error: Exception | None = None
        self.fails_after: str | None = None  # the step that is done, and fails all the same
        self.held = ""  # the step that waits
        self.open = asyncio.Event()

    async def _step(self, what: str) -> None:
        self.steps.append(what)
        if self.error is not None:
            raise self.error
        if self.held and what.startswith(self.held):
            await self.open.wait()

    def _done(self, what: str) -> None:
        if what == self.fails_after:
            raise ConnectionError("away")

    async def renew(self, process: str, lease: float) -> Renewal:
        await self._step("renew")
        renewal = await super().renew(process, lease)
        self._done("renew")
        return renewal

    async def add(self, process: str, entries: Sequence[Entry]) -> None:
        await self._step(f"add {len(entries)}")
        await super().add(process, entries)
        self._done("add")

    async def remove(self, process: str, entries: Sequence[Entry]) -> None:
        await self._step(f"remove {len(entries)}")
        await super().remove(process, entries)
        self._done("remove")

    async def leave(self, process: str) -> None:
        await self._step("leave")
        await super().leave(process)
        self.steps.append("left")


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

    @property
    def present(self) -> set[str]:
        """The refs that another process has heard of and that have not gone."""
        refs: set[str] = set()
        for joins, leaves in self.heard:
            refs |= {ref for _, ref, _ in joins}
            refs -= {ref for _, ref, _ in leaves}
        return refs

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


async def test_of_who_comes_and_goes_at_once_what_is_true_last_is_put_and_told(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r1")
    process.come("a", "r2")
    process.go("a", "r1")
    await process.exchange.flush()
    assert process.heard == [(((process.name, "r2", 1),), ((process.name, "r1", 1),))]
    process.go("a", "r2")
    process.come("a", "r2")
    await process.exchange.flush()
    assert process.heard[1] == (((process.name, "r2", 1),), ())
    assert await process.exchange.members("a") == [(process.name, "r2", 1)]


async def test_who_was_put_with_all_others_and_goes_before_the_next_flush_is_gone(start: Callable[..., Any]) -> None:
    process = await start()
    process.own.append(("a", "r1", 1))  # joined, and not noted yet
    await process.exchange.recover()
    assert process.present == {"r1"}
    process.exchange.note(("a", "r1", 1), present=True)
    process.go("a", "r1")
    await process.exchange.flush()
    assert process.present == set()
    assert await process.exchange.members("a") == []


async def test_a_step_that_failed_half_way_leaves_nobody_behind(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r0")
    await process.exchange.flush()
    process.come("a", "r1")
    process.go("a", "r0")
    process.store.fails_after = "remove"
    await process.exchange.flush()
    process.store.fails_after = None
    process.go("a", "r1")
    process.come("a", "r0")
    await process.exchange.flush()
    assert process.present == {"r0"}
    assert await process.exchange.members("a") == [(process.name, "r0", 1)]


async def test_what_is_put_is_put_in_the_order_of_what_happened(start: Callable[..., Any]) -> None:
    process = await start()
    await process.exchange.recover()
    process.store.held = "add"
    process.come("a", "r1")
    coming = asyncio.create_task(process.exchange.flush())
    await until(lambda: process.store.steps[-1] == "add 1")
    process.store.held = ""
    process.go("a", "r1")
    going = asyncio.create_task(process.exchange.flush())
    for _ in range(5):
        await asyncio.sleep(0)
    process.store.open.set()
    await asyncio.gather(coming, going)
    assert process.present == set()
    assert await process.exchange.members("a") == []


async def test_a_flush_that_is_given_up_loses_nothing(start: Callable[..., Any]) -> None:
    process = await start()
    process.store.held = "add"
    process.come("a", "r1")
    flushing = asyncio.create_task(process.exchange.flush())
    await until(lambda: "add 1" in process.store.steps)
    await cancel_and_wait(flushing)
    process.store.held = ""
    await process.exchange.flush()
    assert process.present == {"r1"}


async def test_what_the_engine_did_not_take_is_told_again(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()

    async def fail(*_: object) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(process.publisher._backplane, "publish", fail)
        process.come("a", "r1")
        await process.exchange.flush()
        assert process.heard == []
    await process.exchange.recover()
    assert process.present == {"r1"}


async def test_a_first_renewal_that_fails_is_tried_again_and_the_others_learn_of_it(start: Callable[..., Any]) -> None:
    process = await start(lease=0.06)
    process.store.error = ConnectionError("away")
    process.come("a", "r1")
    await process.exchange.flush()
    process.store.error = None
    await until(lambda: process.present == {"r1"})
    assert await process.exchange.members("a") == [(process.name, "r1", 1)]


async def test_a_new_lease_is_remembered_until_all_has_been_put_and_told(start: Callable[..., Any]) -> None:
    process = await start()
    process.own.append(("a", "r1", 1))
    process.store.fails_after = "renew"
    await process.exchange.recover()
    process.store.fails_after = "add"
    await process.exchange.recover()
    assert process.heard == []
    process.store.fails_after = None
    await process.exchange.flush()
    assert process.present == {"r1"}


async def test_who_looks_first_puts_and_tells_what_there_is(start: Callable[..., Any]) -> None:
    process = await start()
    process.own.append(("a", "r1", 1))
    process.wanted.add("$presence/a")
    assert await process.exchange.load("a") == [(process.name, "r1", 1)]
    assert process.present == {"r1"}
    process.wanted.clear()
    await process.exchange.let_go("a")


async def test_who_comes_while_the_lease_is_given_back_takes_a_new_one(start: Callable[..., Any]) -> None:
    process = await start(lease=0.06)
    process.store.held = "leave"
    process.come("a", "r1")
    await process.exchange.flush()
    process.go("a", "r1")
    await process.exchange.flush()
    await until(lambda: process.store.steps[-1] == "leave")
    process.store.held = ""
    process.come("a", "r2")
    coming = asyncio.create_task(process.exchange.flush())
    for _ in range(5):
        await asyncio.sleep(0)
    process.store.open.set()
    await coming
    await until(lambda: "left" in process.store.steps)
    assert process.present == {"r2"}
    assert await process.exchange.members("a") == [(process.name, "r2", 1)]


async def test_however_many_begin_at_once_one_renews_the_lease(start: Callable[..., Any]) -> None:
    process = await start()
    process.wanted.update(["$presence/a", "$presence/b"])
    process.come("a", "r1")
    process.store.held = "renew"
    before = asyncio.all_tasks()
    beginning = asyncio.gather(process.exchange.flush(), process.exchange.load("a"), process.exchange.load("b"))
    for _ in range(5):
        await asyncio.sleep(0)
    process.store.open.set()
    await beginning
    assert process.store.steps.count("renew") == 1
    assert len(asyncio.all_tasks() - before) == 1
    process.wanted.clear()
    for topic in "ab":
        await process.exchange.let_go(topic)


async def test_who_cannot_be_heard_of_is_not_looked_at(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    process.wanted.add("$presence/a")

    async def fail(_: str) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(process.publisher._backplane, "subscribe", fail)
        with pytest.raises(ConnectionError, match="nobody can be heard"):
            await process.exchange.load("a")
    assert await process.exchange.load("a") == []


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
    await until(lambda: process.store.steps[-1] == "left")
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


async def test_a_loop_that_does_not_answer_is_logged_and_nothing_is_lost(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    process = await start()
    process.come("a", "r1")

    async def run(work: Any) -> None:
        work.close()
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(process.publisher, "run", run)
        await process.exchange.flush()
    assert "the store of presence fails" in caplog.text
    await process.exchange.flush()
    assert process.present == {"r1"}


async def test_after_a_stop_nothing_is_left_also_when_the_store_is_away(start: Callable[..., Any]) -> None:
    process = await start()
    process.come("a", "r1")
    await process.exchange.flush()
    process.store.error = ConnectionError("away")
    await process.exchange.stop()
    await process.exchange.stop()
    assert process.store.steps[-1] == "leave"
    assert asyncio.all_tasks() == {asyncio.current_task()}
