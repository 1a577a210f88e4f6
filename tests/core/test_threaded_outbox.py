"""Writing to one connection from any thread: in order, whole, bounded, and nobody waits for a client but its reader."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.core.peer import until
from tests.core.wires import LARGE, Wire
from wsproto_core.limits import Limits
from wsproto_core.threaded_outbox import Closing, Frame, ThreadedOutbox


class Owner:
    """Notes what it is told, and where."""

    def __init__(self) -> None:
        self.slow: list[str] = []
        self.failed: list[Exception] = []
        self.lost = 0
        self.thread: threading.Thread | None = None

    def on_slow_consumer(self, why: str) -> None:
        self.slow.append(why)
        self.thread = threading.current_thread()

    def on_lost(self, events: int) -> None:
        self.lost += events

    def on_write_failed(self, error: Exception) -> None:
        self.failed.append(error)


class Box:
    """An outbox and all that belongs to it."""

    def __init__(self, **limits: object) -> None:
        self.wire = Wire()
        self.client = self.wire.client
        self.owner = Owner()
        self.outbox = ThreadedOutbox(self.wire, Limits(**limits), self.owner, asyncio.get_running_loop())  # type: ignore[arg-type]

    def answer_here(self, frame: str) -> None:
        """What the reader's thread does."""
        with self.outbox.lock:
            mine = self.outbox.place(frame)
        self.outbox.answer_here(frame, mine)

    @contextmanager
    def pen(self) -> Iterator[None]:
        """Hold the pen, as another thread would."""
        with self.outbox.lock:
            assert self.outbox.place("held")
        yield
        self.outbox.write("held", wait=False)

    async def lines(self, count: int) -> list[str]:
        return await asyncio.to_thread(lambda: [self.client.line() for _ in range(count)])


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Box]]:
    boxes: list[Box] = []

    def make(**limits: object) -> Box:
        boxes.append(Box(**limits))
        return boxes[-1]

    yield make
    for box in boxes:
        box.outbox.release()
        box.wire.close()


async def test_who_finds_nobody_writing_writes(make: Callable[..., Box]) -> None:
    box = make()
    await box.outbox.answer("one")
    assert box.outbox.push("two")
    await asyncio.to_thread(box.answer_here, "three")
    assert await box.lines(3) == ["one", "two", "three"]
    assert box.outbox.queued == 0


async def test_what_comes_while_somebody_writes_is_queued_for_them(make: Callable[..., Box]) -> None:
    box = make()
    with box.pen():
        await box.outbox.answer("one")
        assert box.outbox.push("two")
        await asyncio.to_thread(box.answer_here, "three")
        assert box.outbox.queued == 3
    assert await box.lines(4) == ["held", "one", "two", "three"]
    box.outbox.watch()
    box.outbox.stop_writer()


async def test_the_loop_does_not_wait_for_a_client_and_goes_on_when_it_reads(make: Callable[..., Box]) -> None:
    box = make()
    assert box.outbox.push(LARGE)
    assert box.outbox.push("behind")
    await asyncio.sleep(0)
    assert box.outbox.writing
    assert await box.lines(2) == [LARGE, "behind"]
    await until(lambda: not box.outbox.writing)


async def test_the_readers_thread_waits_for_its_client(make: Callable[..., Box]) -> None:
    box = make()
    writing = asyncio.create_task(asyncio.to_thread(box.answer_here, LARGE))
    await until(lambda: box.outbox.writing)
    assert not writing.done()
    assert await box.lines(1) == [LARGE]
    await writing


@pytest.mark.parametrize("timeout", [0.05, None])
async def test_a_thread_waits_no_longer_than_the_send_time_out(make: Callable[..., Box], timeout: float | None) -> None:
    box = make(send_timeout=timeout)
    writing = asyncio.create_task(asyncio.to_thread(box.answer_here, LARGE))
    if timeout is None:
        await until(lambda: box.outbox.writing)
        assert await box.lines(1) == [LARGE]
        await writing
        assert box.owner.slow == []
        return
    await writing
    await until(lambda: box.owner.slow)
    assert box.owner.slow == ["it has not read for 0.05 seconds"]
    assert box.owner.thread is threading.current_thread()
    # What was begun is written whole, by the loop, as soon as the client reads; and then the close frame.
    assert not box.outbox.push("later")
    finishing = asyncio.create_task(box.outbox.finish(Closing(1013, "slow")))
    assert await box.lines(2) == [LARGE, "close 1013 slow"]
    await finishing


async def test_the_loop_gives_up_a_client_after_the_send_time_out(make: Callable[..., Box]) -> None:
    box = make(send_timeout=0.05)
    assert box.outbox.push(LARGE)
    await until(lambda: box.owner.slow)
    assert box.owner.slow == ["it has not read for 0.05 seconds"]
    box.outbox.give_up("again")
    await asyncio.sleep(0)
    assert len(box.owner.slow) == 1


async def test_without_a_time_out_the_loop_waits_for_ever(make: Callable[..., Box]) -> None:
    box = make(send_timeout=None)
    assert box.outbox.push(LARGE)
    await asyncio.sleep(0)
    assert box.outbox._watch is None
    assert await box.lines(1) == [LARGE]


@pytest.mark.parametrize("limits", [{"outbox_messages": 2}, {"outbox_bytes": 10}])
async def test_events_for_a_full_outbox_end_the_connection(make: Callable[..., Box], limits: dict[str, int]) -> None:
    box = make(**limits)
    with box.pen():
        assert box.outbox.push("12345")
        assert box.outbox.push("12345")
        assert not box.outbox.push("1")
        assert box.outbox.queued == 0
    await asyncio.sleep(0)
    assert box.owner.slow == ["its outbox is full"]
    assert await box.lines(1) == ["held"]


async def test_an_empty_outbox_takes_any_one_message(make: Callable[..., Box]) -> None:
    box = make(outbox_bytes=10)
    with box.pen():
        assert box.outbox.push("x" * 100)
        assert not box.outbox.push("1")


async def test_answers_wait_for_room(make: Callable[..., Box]) -> None:
    box = make(outbox_messages=1)
    waiting: list[asyncio.Task[None]] = []
    with box.pen():
        await box.outbox.answer("one")
        for answer in ("two", "three"):
            waiting.append(asyncio.ensure_future(box.outbox.answer(answer)))
        thread = asyncio.create_task(asyncio.to_thread(box.answer_here, "four"))
        await until(lambda: box.outbox.queued == 4)
        await asyncio.sleep(0)
        assert not any(task.done() for task in (*waiting, thread))
    await asyncio.gather(*waiting, thread)
    assert sorted(await box.lines(5)) == sorted(["held", "one", "two", "three", "four"])


async def test_who_waits_for_room_is_let_go_at_the_end(make: Callable[..., Box]) -> None:
    box = make(outbox_messages=1)
    with box.pen():
        await box.outbox.answer("one")
        waiting = asyncio.ensure_future(box.outbox.answer("two"))
        thread = asyncio.create_task(asyncio.to_thread(box.answer_here, "three"))
        await until(lambda: box.outbox.queued == 3)
        box.outbox.close()
        await asyncio.gather(waiting, thread)
    await box.outbox.answer("too late")
    assert await box.lines(1) == ["held"]


async def test_a_thread_that_others_keep_busy_leaves_the_rest_to_the_loop(make: Callable[..., Box]) -> None:
    box = make()
    with box.pen():
        for number in range(100):
            box.outbox.push(str(number))
    assert box.outbox.writing
    assert await box.lines(101) == ["held", *map(str, range(100))]
    await until(lambda: not box.outbox.writing)


async def test_what_is_due_is_written_by_whoever_writes(make: Callable[..., Box]) -> None:
    box = make()
    box.wire.control.append("pong 1")
    box.outbox.nudge()
    with box.pen():
        box.wire.control.append("pong 2")
        box.outbox.nudge()
    with box.pen():
        pass
    assert await box.lines(4) == ["pong 1", "pong 2", "held", "held"]


async def test_what_becomes_due_during_a_write_is_written_after_it(make: Callable[..., Box]) -> None:
    box = make()
    assert box.outbox.push(LARGE)
    box.wire.control.append("pong")
    box.outbox.nudge()
    assert await box.lines(2) == [LARGE, "pong"]


async def test_what_becomes_due_while_a_frame_is_written_is_not_left_behind(
    make: Callable[..., Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = make()
    write = box.wire.write

    def write_and_be_pinged(frame: Frame | None) -> bool:
        done = write(frame)
        if frame == "one":
            box.wire.control.append("pong")
            box.outbox.nudge()
        return done

    monkeypatch.setattr(box.wire, "write", write_and_be_pinged)
    assert box.outbox.push("one")
    assert await box.lines(2) == ["one", "pong"]
    assert not box.outbox.writing


async def test_flushing_waits_until_all_is_written(make: Callable[..., Box]) -> None:
    box = make()
    await box.outbox.flushed()
    box.outbox.push(LARGE)
    flushing = asyncio.create_task(box.outbox.flushed())
    await asyncio.sleep(0)
    assert not flushing.done()
    assert await box.lines(1) == [LARGE]
    await flushing


async def test_flushing_ends_with_the_outbox(make: Callable[..., Box]) -> None:
    box = make()
    box.outbox.push(LARGE)
    flushing = asyncio.create_task(box.outbox.flushed())
    await asyncio.sleep(0)
    box.outbox.close()
    await flushing


async def test_the_close_frame_is_the_last(make: Callable[..., Box]) -> None:
    box = make()
    box.outbox.push("one")
    await box.outbox.finish(Closing(1000, "done"))
    assert not box.outbox.push("late")
    assert await box.lines(2) == ["one", "close 1000 done"]


async def test_the_close_frame_comes_behind_the_frame_that_is_being_written_and_before_the_others(
    make: Callable[..., Box],
) -> None:
    box = make()
    box.outbox.push(LARGE)
    box.outbox.push("dropped")
    finishing = asyncio.create_task(box.outbox.finish(Closing(1001, "bye")))
    await asyncio.sleep(0)
    assert not finishing.done()
    assert await box.lines(2) == [LARGE, "close 1001 bye"]
    await finishing


async def test_a_connection_that_has_gone_is_dropped_and_its_reader_says_so(make: Callable[..., Box]) -> None:
    box = make()
    box.client.reset()
    assert not box.outbox.push("one") or not box.outbox.push("two")
    assert box.wire.dropped
    assert not box.outbox.writing
    await asyncio.sleep(0)
    assert box.owner.failed == []


async def test_a_client_that_goes_while_the_loop_writes(make: Callable[..., Box]) -> None:
    box = make()
    box.outbox.push(LARGE)
    await asyncio.sleep(0)
    box.client.reset()
    await until(lambda: box.wire.dropped)
    assert not box.outbox.writing


async def test_a_transport_that_fails_otherwise_is_told_to_the_owner(make: Callable[..., Box]) -> None:
    box = make()
    box.wire.error = ValueError("of the transport")
    assert not box.outbox.push("one")
    await until(lambda: box.owner.failed)
    assert box.owner.failed == [box.wire.error]


async def test_a_socket_that_is_let_go_is_not_written_to_any_more(make: Callable[..., Box]) -> None:
    box = make()
    box.outbox.push(LARGE)
    await asyncio.sleep(0)
    releasing = [asyncio.create_task(asyncio.to_thread(box.outbox.released)) for _ in range(2)]
    await until(lambda: box.outbox._idle)
    assert box.outbox._pen_to_come() is box.outbox._idle
    box.outbox.release()
    await asyncio.gather(*releasing)
    assert not box.outbox.writing


async def test_who_was_about_to_write_a_socket_that_is_let_go_does_not(make: Callable[..., Box]) -> None:
    for put_off in (ThreadedOutbox._watch_socket, lambda outbox: outbox.write_later("late")):
        box = make()
        with box.outbox.lock:
            box.outbox.place("held")
        box.outbox.release()
        releasing = asyncio.create_task(asyncio.to_thread(box.outbox.released))
        await until(lambda box=box: box.outbox._idle)
        assert box.outbox.writing
        put_off(box.outbox)
        assert not box.outbox.writing
        await releasing


async def test_without_a_loop_the_rest_cannot_be_written(make: Callable[..., Box]) -> None:
    box = make()
    loop = asyncio.new_event_loop()
    loop.close()
    outbox = ThreadedOutbox(box.wire, Limits(), box.owner, loop)
    assert not outbox.push(LARGE)
    assert box.wire.dropped


async def test_what_is_lost_for_newer_events_is_told(make: Callable[..., Box]) -> None:
    box = make(slow_consumer="conflate", outbox_messages=2)
    with box.pen():
        assert [box.outbox.push(f"{key}{number}", key) for number in range(3) for key in "ab"] == [True] * 6
    assert await box.lines(3) == ["held", "a2", "b2"]
    assert box.owner.lost == 4


async def test_who_writes_for_others_leaves_the_rest_of_a_long_queue_to_the_loop(make: Callable[..., Box]) -> None:
    box = make()
    with box.pen():
        assert all(box.outbox.push(f"{number}") for number in range(100))
    assert box.outbox.queued > 0
    assert await box.lines(101) == ["held", *(f"{number}" for number in range(100))]
