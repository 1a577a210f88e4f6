import asyncio
import gc
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.interpreter import run_python
from wsproto_core import ConfigurationError, MemoryBackplane, room, user
from wsproto_core.backplane import Receiver
from wsproto_core.blocking import LoopThread
from wsproto_core.encoding import EncodedEvent
from wsproto_core.ids import new_id
from wsproto_core.publications import (
    Disconnection,
    PresenceChange,
    Publication,
    numbered,
    read_publication,
    write_publication,
)
from wsproto_core.publisher import Publisher

PATIENCE = 10.0  # seconds until what never comes fails a test


class Engine:
    """A backplane whose every step is held up until the test lets it go, and that may fail."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.listening: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.receiver: Receiver | None = None
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.messages: list[bytes] = []

    async def step(self, what: str, topic: str = "") -> None:
        self.steps.append((what, topic))
        if not self.open.is_set():
            await self.open.wait()
        if self.error is not None:
            raise self.error

    async def start(self, receiver: Receiver) -> None:
        self.loops.append(asyncio.get_running_loop())
        await self.step("start")
        self.receiver = receiver

    async def stop(self) -> None:
        await self.step("stop")
        self.receiver = None

    async def subscribe(self, topic: str) -> None:
        assert self.receiver is not None, "subscribed before it was started"
        await self.step("subscribe", topic)
        self.listening.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        await self.step("unsubscribe", topic)
        self.listening.discard(topic)

    async def publish(self, topic: str, message: bytes) -> None:
        self.messages.append(message)
        await self.step("publish", topic)

    def done(self, what: str) -> list[str]:
        return [topic for step, topic in self.steps if step == what]


class Process:
    """What a hub gives its publisher."""

    def __init__(self, backplane: Any = None) -> None:
        self.wanted: set[str] = set()
        self.counters: Counter[str] = Counter()
        self.delivered: list[Publication] = []
        self.asked: list[Disconnection] = []
        self.present: list[PresenceChange] = []
        self.gaps: list[list[str] | None] = []
        self.engine = backplane if backplane is not None else Engine()
        self.publisher = Publisher(self.engine, "a-hub", self.wanted.__contains__, self.count)

    def count(self, what: str) -> None:
        self.counters[what] += 1

    def publication(self, publication: Publication) -> None:
        self.delivered.append(publication)

    def disconnection(self, asked: Disconnection) -> None:
        self.asked.append(asked)

    def presence(self, change: PresenceChange) -> None:
        self.present.append(change)

    def gap(self, channels: Iterable[str] | None) -> None:
        self.gaps.append(None if channels is None else list(channels))

    async def start(self) -> None:
        self.publisher.tell(self)
        await self.publisher.start()

    async def join(self, *topics: str) -> None:
        self.wanted.update(topics)
        await self.publisher.follow(topics)

    async def leave(self, *topics: str) -> None:
        self.wanted.difference_update(topics)
        await self.publisher.follow(topics)

    async def say(self, text: str, *audiences: Any) -> None:
        await self.publisher.publish(EncodedEvent(new_id(), "said", f'{{"text":"{text}"}}'), audiences, frozenset())


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections wait for the engine for no time at all."""
    monkeypatch.setattr("wsproto_core.publisher._PATIENCE", 0)


@asynccontextmanager
async def held(engine: Engine) -> AsyncIterator[None]:
    """Hold up whatever the engine is asked to do."""
    engine.open.clear()
    yield
    engine.open.set()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not check():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0)


async def test_the_first_who_listens_subscribes_and_the_last_unsubscribes(process: Process) -> None:
    await process.start()
    await process.join("room/a", "room/b")
    await process.join("room/a")
    await process.leave("room/a")
    await process.leave("room/a")
    assert process.engine.steps == [
        ("start", ""),
        ("subscribe", "room/a"),
        ("subscribe", "room/b"),
        ("unsubscribe", "room/a"),
    ]


async def test_who_joins_waits_until_the_engine_was_told(process: Process) -> None:
    await process.start()
    async with held(process.engine):
        joining = asyncio.create_task(process.join("room/a"))
        await until(lambda: process.engine.done("subscribe") == ["room/a"])
        assert not joining.done()
    await joining
    assert process.engine.listening == {"room/a"}


async def test_who_joins_while_the_last_one_leaves_is_subscribed_after(process: Process) -> None:
    await process.start()
    await process.join("room/a")
    async with held(process.engine):
        leaving = asyncio.create_task(process.leave("room/a"))
        await until(lambda: process.engine.done("unsubscribe") == ["room/a"])
        joining = asyncio.create_task(process.join("room/a"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert process.engine.done("subscribe") == ["room/a"], "a second step while the first is not done"
    await asyncio.gather(leaving, joining)
    assert process.engine.listening == {"room/a"}
    assert process.engine.done("subscribe") == ["room/a", "room/a"]


async def test_who_leaves_before_the_subscription_is_there_is_unsubscribed_after(process: Process) -> None:
    await process.start()
    async with held(process.engine):
        joining = asyncio.create_task(process.join("room/a"))
        await until(lambda: process.engine.done("subscribe") == ["room/a"])
        leaving = asyncio.create_task(process.leave("room/a"))
        await asyncio.sleep(0)
    await asyncio.gather(joining, leaving)
    assert process.engine.listening == set()


async def test_any_order_of_joins_and_leaves_ends_with_what_is_wanted(process: Process) -> None:
    await process.start()
    changes = []
    async with held(process.engine):
        for number in range(200):
            topic = f"room/{number % 7}"
            change = process.join if number % 3 else process.leave
            changes.append(asyncio.create_task(change(topic)))
            if number % 5 == 0:
                process.engine.open.set()
                await asyncio.sleep(0)
                process.engine.open.clear()
    await asyncio.gather(*changes)
    assert process.engine.listening == process.wanted


async def test_a_slow_topic_does_not_hold_up_another(process: Process) -> None:
    await process.start()
    async with held(process.engine):
        slow = asyncio.create_task(process.join("room/slow"))
        await until(lambda: process.engine.done("subscribe") == ["room/slow"])
        process.engine.open = asyncio.Event()  # the one who waits keeps the old one
        process.engine.open.set()
        async with asyncio.timeout(PATIENCE):
            await process.join("room/quick")
        assert process.engine.listening == {"room/quick"}
        slow.cancel()


async def test_what_comes_while_it_connects_waits_for_that(process: Process) -> None:
    async with held(process.engine):
        starting = asyncio.create_task(process.start())
        await until(lambda: process.engine.done("start") == [""])
        joining = [asyncio.create_task(process.join("room/a")), asyncio.create_task(process.start())]
        await asyncio.sleep(0)
        assert process.engine.steps == [("start", "")]
    await asyncio.gather(starting, *joining)
    assert process.engine.steps == [("start", ""), ("subscribe", "room/a")]


async def test_what_is_said_while_it_connects_waits_for_that(process: Process) -> None:
    async with held(process.engine):
        starting = asyncio.create_task(process.start())
        await until(lambda: process.engine.steps == [("start", "")])
        saying = asyncio.create_task(process.say("hi", room("a")))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not process.engine.messages
    await asyncio.gather(starting, saying)
    assert process.engine.done("publish") == ["room/a"]


async def test_what_is_said_right_after_it_connected_comes_after_what_waited_for_that(process: Process) -> None:
    saying: list[asyncio.Task[None]] = []

    async def start(receiver: Receiver) -> None:
        await process.engine.step("start")
        # Whoever waits goes on when this has ended; this one is quicker.
        asyncio.get_running_loop().call_soon(lambda: saying.append(asyncio.create_task(process.say("4", room("a")))))

    process.engine.start = start
    async with held(process.engine):
        starting = asyncio.create_task(process.start())
        await until(lambda: process.engine.steps == [("start", "")])
        saying += [asyncio.create_task(process.say(each, room("a"))) for each in "123"]
        given_up = saying.pop(1)
        for _ in range(3):
            await asyncio.sleep(0)
        given_up.cancel()
    await asyncio.gather(starting, *saying)
    await until(lambda: len(saying) == 3)
    await saying[-1]
    said = [read_publication(message) for message in process.engine.messages]
    assert [each.payload for each in said if isinstance(each, Publication)] == [
        '{"text":"1"}', '{"text":"3"}', '{"text":"4"}',
    ]  # fmt: skip
    assert [each.number for each in said] == [1, 2, 3]


@pytest.mark.usefixtures("impatient")
async def test_an_engine_that_does_not_answer_holds_nobody_up_for_long(process: Process) -> None:
    async with held(process.engine):
        async with asyncio.timeout(PATIENCE):
            await process.start()
            await process.join("room/a")
        assert process.engine.listening == set()
    await until(lambda: process.engine.listening == {"room/a"})


async def test_the_waits_for_an_engine_that_is_silent_do_not_add_up(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    wait = asyncio.wait

    async def waiting(tasks: Any, *, timeout: float | None = None) -> Any:
        if timeout is not None:  # else it is that of a task of the engine
            waits.append(timeout)
        return await wait(tasks, timeout=timeout)

    async def publish(topic: str, message: bytes) -> None: ...

    monkeypatch.setattr("wsproto_core.publisher._PATIENCE", 0.01)
    monkeypatch.setattr(asyncio, "wait", waiting)
    monkeypatch.setattr(process.engine, "publish", publish)
    async with held(process.engine):
        await process.start()
        for name in "abc":
            await process.join(f"room/{name}")
            await process.say("hi", room(name))
        assert waits == [0.01, *[0] * 6]
        waits.clear()
    # One answer, and the engine is waited for again.
    await until(lambda: process.engine.listening == process.wanted)
    monkeypatch.setattr("wsproto_core.publisher._PATIENCE", PATIENCE)
    await process.join("room/d")
    assert process.engine.listening == process.wanted
    assert waits == [PATIENCE]


async def test_an_engine_that_is_down_is_counted_logged_once_and_asked_again(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    process.engine.error = ConnectionError("no engine")
    await process.start()
    await process.join("room/a")
    await process.say("hi", room("a"))
    # Connecting at the start, once more for the join; then the publication.
    assert process.counters == {"backplane_failures": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "the backplane fails; other processes are not told of events: ConnectionError('no engine')"
    ]
    process.engine.error = None
    await process.join("room/a")
    assert process.engine.listening == {"room/a"}
    await process.say("hi", room("a"))
    await process.say("hi", room("a"))
    assert caplog.records[-1].getMessage() == "the backplane works again"
    assert len(caplog.records) == 2


async def test_a_subscription_that_failed_is_tried_again_by_the_next_one(process: Process) -> None:
    await process.start()
    process.engine.error = ConnectionError("no engine")
    await process.join("room/a")
    assert process.counters == {"backplane_failures": 1}
    process.engine.error = None
    await process.join("room/a")
    assert process.engine.listening == {"room/a"}


async def test_an_event_is_published_to_each_topic_of_its_audiences_once(process: Process) -> None:
    await process.start()
    await process.say("hi", room("a"), user(7), room("a"))
    assert process.engine.done("publish") == ["room/a", "user/7"]


async def test_a_process_without_connections_publishes_without_a_start(process: Process) -> None:
    await process.say("hi", room("a"))
    assert process.engine.steps == [("publish", "room/a")]


async def test_hubs_hear_each_other_once_and_never_themselves() -> None:
    speaker, listener = Process(MemoryBackplane("publisher")), Process(MemoryBackplane("publisher"))
    listener.publisher = Publisher(listener.engine, "another-hub", listener.wanted.__contains__, listener.count)
    for each in (speaker, listener):
        await each.start()
        await each.join("room/a", "user/7")
    await speaker.say("hi", room("a"), user(7))
    assert [publication.payload for publication in listener.delivered] == ['{"text":"hi"}']
    assert speaker.delivered == []
    for each in (speaker, listener):
        await each.publisher.stop()


async def test_disconnects_and_presence_go_where_they_are_listened_for(process: Process) -> None:
    await process.start()
    await process.publisher.disconnect((room("a"), user(7)), 4000, "bye")
    await process.publisher.change_presence("room/a", [("p", "r", 7)], [])
    assert process.engine.done("publish") == ["room/a", "user/7", "$presence/room/a"]


async def test_a_topic_that_cannot_be_published_to_keeps_no_other_from_it(process: Process) -> None:
    await process.start()
    process.engine.error = ConnectionError("no engine")
    await process.say("hi", room("a"), user(7))
    assert process.engine.done("publish") == ["room/a", "user/7"]
    assert process.counters == {"backplane_failures": 1}


async def test_what_is_said_on_a_channel_is_numbered_also_what_is_lost(process: Process) -> None:
    await process.start()
    await process.say("1", room("a"), user(7))
    process.engine.error = ConnectionError("no engine")
    await process.say("2", room("a"))
    process.engine.error = None
    await process.say("3", room("a"))
    assert [read_publication(message).number for message in process.engine.messages] == [1, 1, 2, 3]


async def test_who_follows_before_anybody_takes_publications_is_connected_all_the_same(process: Process) -> None:
    await process.join("room/a")
    assert process.engine.steps == [("start", ""), ("subscribe", "room/a")]
    process.engine.receiver("room/a", write_publication(EncodedEvent(new_id(), "said", "{}"), "x", [room("a")], []))
    assert process.delivered == []


async def test_who_unsubscribes_misses_nothing_meanwhile(process: Process) -> None:
    def said(number: int) -> bytes:
        message = write_publication(EncodedEvent(new_id(), "said", "{}"), "x", [room("a")])
        return numbered(message, number)

    await process.start()
    await process.join("room/a")
    assert process.engine.receiver is not None
    process.engine.receiver("room/a", said(1))
    await process.leave("room/a")
    await process.join("room/a")
    process.engine.receiver("room/a", said(5))
    assert process.gaps == []
    process.engine.receiver("room/a", said(7))
    assert process.gaps == [["room/a"]]


async def test_who_leaves_a_filter_misses_nothing_of_what_came_through_it(process: Process) -> None:
    def hear(topic: str, number: int) -> None:
        assert process.engine.receiver is not None
        message = write_publication(EncodedEvent(new_id(), "said", "{}"), "x", [room("a")])
        process.engine.receiver(topic, numbered(message, number))

    await process.start()
    await process.join("sport/+", "sport/golf")
    for topic in ("sport/golf", "sport/tennis", "sport/tennis/score"):  # an engine may let in too much
        hear(topic, 1)
    await process.leave("sport/+")
    await process.join("sport/tennis", "sport/tennis/score")
    for topic in ("sport/tennis", "sport/tennis/score"):
        hear(topic, 5)
    assert process.gaps == []
    hear("sport/golf", 5)
    assert process.gaps == [["sport/golf"]]
    await process.publisher.stop()
    await process.join("sport/golf")
    hear("sport/golf", 9)
    assert process.gaps == [["sport/golf"]]


async def test_after_a_stop_nothing_is_delivered_and_the_next_use_connects_again(process: Process) -> None:
    await process.start()
    await process.join("room/a")
    await process.publisher.stop()
    await process.publisher.stop()
    assert process.engine.steps[-1] == ("stop", "")
    await process.join("room/b")
    assert process.engine.steps[-2:] == [("start", ""), ("subscribe", "room/b")]


async def test_a_stop_ends_what_is_under_way_and_survives_an_engine_that_fails(process: Process) -> None:
    process.engine.open.clear()
    starting = asyncio.create_task(process.start())
    joining = asyncio.create_task(process.join("room/a"))
    await until(lambda: process.engine.done("start") == [""])
    process.engine.open = asyncio.Event()
    process.engine.open.set()
    process.engine.error = ConnectionError("no engine")
    await process.publisher.stop()
    await asyncio.gather(starting, joining)
    assert process.counters == {"backplane_failures": 1}


def test_each_loop_that_comes_after_another_takes_the_backplane_over(process: Process) -> None:
    """As in tests, and with async_to_sync: each has a loop of its own, and all share one hub."""

    async def first() -> None:
        await process.start()
        await process.join("room/a", "room/b")

    async def second() -> None:
        process.wanted.discard("room/b")
        await process.join("room/c")

    asyncio.run(first())
    process.engine.listening.clear()  # what was subscribed on a loop is gone with it
    asyncio.run(second())
    assert process.engine.listening == {"room/a", "room/c"}
    assert process.engine.loops[0] is not process.engine.loops[1]


def test_a_stop_after_the_end_of_the_loop_does_nothing(process: Process) -> None:
    asyncio.run(process.start())
    asyncio.run(process.publisher.stop())
    assert process.engine.steps == [("start", "")]
    gc.collect()  # a coroutine that was never awaited would say so now, and fail


LAST_WORDS = """
from wsproto_core import Event, Hub, Registry, Settings, room

class Said(Event, name="said", registry=(registry := Registry())):
    pass

class Slow:
    async def start(self, receiver): ...
    async def stop(self): ...
    async def subscribe(self, topic): ...
    async def unsubscribe(self, topic): ...
    async def publish(self, topic, message):
        import asyncio
        await asyncio.sleep(0.05)
        print("published to", topic)

Hub(Settings(registry=registry, backplane=Slow())).emit_sync(Said(), to=room("a"))
"""


def test_what_a_script_says_last_is_published_before_it_ends() -> None:
    assert run_python(LAST_WORDS) == "published to room/a"


def test_what_goes_wrong_in_the_background_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("of a test")

    thread = LoopThread()
    thread.begin(fail())
    thread.begin(asyncio.sleep(0))
    thread.finish()
    thread.stop()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError]


async def test_the_loops_of_a_process_share_the_backplane_of_the_first(process: Process) -> None:
    await process.start()

    async def elsewhere() -> None:
        await process.join("room/a")
        await process.say("hi", room("a"))

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    await until(lambda: not thread.is_alive())
    assert process.engine.loops == [asyncio.get_running_loop()]
    assert process.engine.steps == [("start", ""), ("subscribe", "room/a"), ("publish", "room/a")]


async def test_a_loop_that_is_stuck_holds_up_no_other(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    await process.start()
    monkeypatch.setattr("wsproto_core.publisher._PATIENCE", 0.01)
    # This loop, the home, is blocked until the other one is done.
    done = threading.Event()

    async def elsewhere() -> None:
        await process.join("room/a")
        done.set()

    thread = threading.Thread(target=asyncio.run, args=[elsewhere()])
    thread.start()
    assert done.wait(PATIENCE)
    thread.join()
    assert process.engine.steps == [("start", "")]


def another(process: Process) -> Process:
    """Return another hub with the same backplane object."""
    other = Process(process.engine)
    other.publisher = Publisher(process.engine, "another-hub", other.wanted.__contains__, other.count)
    return other


async def test_one_backplane_is_for_one_hub_at_a_time(process: Process) -> None:
    other = another(process)
    await process.join("room/a")
    with pytest.raises(ConfigurationError, match=r"This Engine is in use by another hub\. Give each hub"):
        await other.join("room/b")
    assert process.engine.done("subscribe") == ["room/a"]
    await process.publisher.stop()
    await other.join("room/b")
    with pytest.raises(ConfigurationError):
        await process.join("room/a")
    assert process.engine.done("subscribe") == ["room/a", "room/b"]


def test_a_hub_whose_loop_has_ended_uses_its_backplane_no_more(process: Process) -> None:
    other = another(process)
    asyncio.run(process.join("room/a"))
    asyncio.run(other.join("room/b"))
    assert process.engine.done("subscribe") == ["room/a", "room/b"]


async def test_a_fork_begins_anew_whatever_its_parent_was_at(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    await process.join("room/a")
    monkeypatch.setattr("os.getpid", lambda: -1)  # as in a child of this moment
    await process.join("room/b")
    assert process.engine.steps[:2] == process.engine.steps[2:4] == [("start", ""), ("subscribe", "room/a")]


def test_what_runs_at_home_takes_the_backplane_along(process: Process) -> None:
    asyncio.run(process.join("room/a"))

    async def at_home() -> str:
        return "done"

    assert asyncio.run(process.publisher.run(at_home())) == "done"
    assert process.engine.done("subscribe") == ["room/a", "room/a"]
