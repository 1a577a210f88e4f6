"""What waits to be written to one connection: order, bounds, and what happens when writing fails or stalls."""

import asyncio
from typing import Any

import pytest

from tests.core.peer import until
from wsproto_core import ConnectionInfo, Limits
from wsproto_core.outbox import Outbox, frame_size
from wsproto_core.testing import MemoryTransport


class Owner:
    """Notes what an outbox complains about."""

    def __init__(self) -> None:
        self.slow: list[str] = []
        self.failed: list[Exception] = []

    def on_slow_consumer(self, why: str) -> None:
        self.slow.append(why)

    def on_write_failed(self, error: Exception) -> None:
        self.failed.append(error)


class Direct(MemoryTransport):
    """A transport that can write without waiting, until it is full."""

    def __init__(self, info: ConnectionInfo | None = None) -> None:
        super().__init__(info)
        self.room = 0
        self.error: Exception | None = None

    def try_send(self, frame: str | bytes) -> bool:
        if self.error is not None:
            raise self.error
        if self.room:
            self.room -= 1
            self._frames.append(frame)
            return True
        return False


class Failing(MemoryTransport):
    async def send(self, frame: str | bytes) -> None:
        await super().send(frame)
        raise ConnectionResetError("gone")


def outbox_of(transport: Any, **limits: Any) -> tuple[Outbox, Owner]:
    owner = Owner()
    return Outbox(transport, Limits(**limits), owner, asyncio.get_running_loop()), owner


async def test_answers_and_pushes_are_written_in_order() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport)
    await outbox.answer("1")
    assert outbox.push("2")
    await outbox.answer("3")
    assert outbox.push("4")
    await outbox.flushed()
    assert transport.frames() == ["1", "2", "3", "4"]
    assert outbox.queued == 0


async def test_what_comes_while_a_write_waits_is_queued_behind_it() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport)
    transport.stop_reading()
    first = asyncio.create_task(outbox.answer("1"))
    await until(lambda: outbox.writing)
    assert outbox.push("2")
    await outbox.answer("3")
    assert outbox.queued == 2
    transport.resume_reading()
    await first
    await outbox.flushed()
    assert transport.frames() == ["1", "2", "3"]


async def test_a_push_never_waits() -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport)
    transport.stop_reading()
    assert [outbox.push(str(number)) for number in range(5)] == [True] * 5
    assert outbox.queued == 4
    transport.resume_reading()
    await outbox.flushed()
    assert transport.frames() == ["0", "1", "2", "3", "4"]
    assert owner.slow == []


async def test_an_answer_waits_for_room() -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport, outbox_messages=2)
    transport.stop_reading()
    answers = [asyncio.create_task(outbox.answer(str(number))) for number in range(5)]
    await until(lambda: outbox.queued == 4)
    await asyncio.sleep(0)
    assert [task.done() for task in answers] == [False, True, True, False, False]
    transport.resume_reading()
    await asyncio.gather(*answers)
    await outbox.flushed()
    assert transport.frames() == ["0", "1", "2", "3", "4"]
    assert owner.slow == []


async def test_a_push_into_a_full_outbox_is_refused_and_the_owner_told() -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport, outbox_messages=2)
    transport.stop_reading()
    assert [outbox.push(str(number)) for number in range(4)] == [True, True, True, False]
    assert owner.slow == ["its outbox is full"]
    outbox.close()
    outbox.stop_writer()


@pytest.mark.parametrize("frame", ["é" * 30, "é".encode() * 30, "x" * 60])
async def test_the_outbox_is_bounded_in_bytes(frame: str | bytes) -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport, outbox_bytes=130)
    transport.stop_reading()
    assert [outbox.push(frame) for _ in range(4)] == [True, True, True, False]
    assert len(owner.slow) == 1
    transport.resume_reading()
    await outbox.flushed()
    assert [outbox.push(frame) for _ in range(3)] == [True] * 3
    await outbox.flushed()


async def test_an_empty_outbox_takes_any_one_message() -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport, outbox_bytes=10)
    transport.stop_reading()
    assert outbox.push("x")
    assert outbox.push("y" * 100)
    assert not outbox.push("z")
    assert len(owner.slow) == 1
    transport.resume_reading()
    await outbox.flushed()
    assert transport.frames() == ["x", "y" * 100]


async def test_the_size_of_a_frame_is_that_on_the_wire() -> None:
    assert [frame_size(frame) for frame in ("abc", "äé", "\ud800", b"\xff\x00")] == [3, 4, 3, 2]


async def test_a_write_that_takes_too_long_is_a_slow_consumer() -> None:
    for push in (True, False):
        transport = MemoryTransport()
        outbox, owner = outbox_of(transport, send_timeout=0.01)
        transport.stop_reading()
        answer = None
        if push:
            outbox.push("1")
        else:
            answer = asyncio.create_task(outbox.answer("1"))
        await until(lambda: owner.slow)  # noqa: B023 - called within the round
        assert owner.slow == ["it has not read for 0.01 seconds"]
        transport.resume_reading()
        if answer is not None:
            await answer
        await outbox.flushed()


async def test_a_client_that_reads_slowly_but_steadily_is_not_a_slow_consumer() -> None:
    """Each frame has the time-out for itself."""
    loop = asyncio.get_running_loop()

    class Steady(MemoryTransport):
        async def send(self, frame: str | bytes) -> None:
            done = loop.create_future()
            loop.call_later(0.05, done.set_result, None)
            await done
            await super().send(frame)

    transport = Steady()
    outbox, owner = outbox_of(transport, send_timeout=0.6)
    started = loop.time()
    for number in range(15):
        outbox.push(str(number))
    await outbox.flushed()
    assert loop.time() - started > 0.6
    assert transport.frames() == [str(number) for number in range(15)]
    assert owner.slow == []


async def test_a_write_that_ended_in_time_leaves_the_watch_without_effect() -> None:
    transport = MemoryTransport()
    outbox, owner = outbox_of(transport, send_timeout=0.01)
    transport.stop_reading()
    outbox.push("1")
    assert outbox._watch is not None
    transport.resume_reading()
    await outbox.flushed()
    await until(lambda: outbox._watch is None)
    assert owner.slow == []


async def test_without_a_send_time_out_a_write_is_not_watched() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport, send_timeout=None)
    transport.stop_reading()
    outbox.push("1")
    assert outbox._watch is None
    outbox._check_stall()
    transport.resume_reading()
    await outbox.flushed()


async def test_a_write_while_a_handler_runs_eagerly_is_watched_only_when_it_is_seen_to_wait() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport)
    outbox.eager = True
    await outbox.answer("1")
    assert outbox._watch is None
    outbox.eager = False
    await outbox.answer("2")
    assert outbox._watch is not None
    outbox.close()


async def test_a_transport_that_can_write_at_once_is_asked_first() -> None:
    transport = Direct()
    outbox, _ = outbox_of(transport)
    transport.room = 2
    await outbox.answer("1")
    assert outbox.push("2")
    transport.stop_reading()
    assert outbox.push("3")
    assert outbox.writing
    transport.room = 9
    assert outbox.push("4")  # not past the one that waits
    transport.resume_reading()
    await outbox.flushed()
    assert transport.frames() == ["1", "2", "3", "4"]
    transport.room = 0
    await outbox.answer("5")
    assert transport.frames() == ["5"]


async def test_a_failure_to_write_is_told_once_and_ends_it() -> None:
    for way in ("answer", "push", "try push", "try answer"):
        transport: Any = Direct() if way.startswith("try") else Failing()
        if way.startswith("try"):
            transport.error = ConnectionResetError("gone")
        outbox, owner = outbox_of(transport)
        if way.endswith("answer"):
            await outbox.answer("1")
        else:
            outbox.push("1")
        await outbox.flushed()
        assert [str(error) for error in owner.failed] == ["gone"]
        assert outbox.push("2") is False
        await outbox.answer("3")
        assert len(owner.failed) == 1


async def test_a_failure_after_the_end_is_nobodys_business() -> None:
    transport = Failing()
    outbox, owner = outbox_of(transport)
    transport.stop_reading()
    answer = asyncio.create_task(outbox.answer("1"))
    await until(lambda: outbox.writing)
    outbox.close()
    transport.resume_reading()
    await answer
    assert owner.failed == []


async def test_closing_lets_go_of_whoever_waits() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport, outbox_messages=1)
    transport.stop_reading()
    outbox.push("1")
    waiting = [asyncio.create_task(outbox.answer("2")) for _ in range(3)]
    flushing = [asyncio.create_task(outbox.flushed()) for _ in range(2)]
    await until(lambda: outbox.queued == 3)
    await asyncio.sleep(0)
    outbox.close()
    await asyncio.gather(*waiting, *flushing)
    assert outbox.queued == 0
    outbox.stop_writer()
    await until(lambda: not outbox.writing)
    outbox.stop_writer()
    assert transport.frames() == []
    assert outbox._watch is None


async def test_flushed_waits_until_all_is_written() -> None:
    transport = MemoryTransport()
    outbox, _ = outbox_of(transport)
    await outbox.flushed()
    transport.stop_reading()
    answer = asyncio.create_task(outbox.answer("1"))
    await until(lambda: outbox.writing)
    flushing = asyncio.create_task(outbox.flushed())
    await asyncio.sleep(0)
    assert not flushing.done()
    transport.resume_reading()
    await asyncio.gather(answer, flushing)
    assert transport.frames() == ["1"]
