"""Starting work on event loops, and finding them, from any thread."""

import asyncio
import contextvars
import sys
import threading
from typing import Any

import pytest

from tests.core.peer import Elsewhere
from wsproto_core.tasks import (
    NOTHING,
    Done,
    call_on,
    cancel_and_wait,
    is_from_outside,
    on_loop,
    resolved,
    running_loop,
    start_eagerly,
)

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def nothing() -> None: ...


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python has eager tasks from 3.12 on")
async def test_work_that_does_not_wait_is_done_at_once() -> None:
    async def work() -> int:
        variable.set("set in the task")
        return 42

    task = start_eagerly(work(), asyncio.get_running_loop())
    assert task.done()
    assert task.result() == 42
    assert variable.get() == "unset"


async def test_work_that_waits_goes_on_as_a_task() -> None:
    go_on = asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    task = start_eagerly(work(), asyncio.get_running_loop())
    assert not task.done()
    go_on.set()
    assert await task == "done"


async def test_work_runs_in_the_context_that_is_given() -> None:
    context = contextvars.copy_context()
    context.run(variable.set, "given")

    async def work() -> str:
        return variable.get()

    assert await start_eagerly(work(), asyncio.get_running_loop(), context) == "given"
    assert await start_eagerly(work(), asyncio.get_running_loop()) == "unset"


async def test_something_that_has_happened_can_be_awaited_or_left() -> None:
    assert await Done(42) == 42
    assert await NOTHING is None
    assert [await each for each in (NOTHING, NOTHING)] == [None, None]
    Done("never awaited")


async def test_the_running_loop_is_known_where_there_is_one() -> None:
    assert running_loop() is asyncio.get_running_loop()
    assert await asyncio.to_thread(running_loop) is None


async def test_something_is_called_on_another_loop() -> None:
    called: list[Any] = []
    with Elsewhere() as elsewhere:
        done = threading.Event()

        def note(*arguments: int) -> None:
            called.extend([*arguments, running_loop()])
            done.set()

        assert call_on(elsewhere.loop, note, 1, 2)
        await asyncio.to_thread(done.wait, 5)
        assert called == [1, 2, elsewhere.loop]
    assert not call_on(elsewhere.loop, note)


async def test_something_on_another_loop_can_be_awaited_here() -> None:
    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    here = asyncio.get_running_loop()
    with Elsewhere() as elsewhere:
        assert await on_loop(here, where()) is here
        assert await on_loop(elsewhere.loop, where()) is elsewhere.loop
    work = where()
    with pytest.raises(RuntimeError, match="closed"):
        on_loop(elsewhere.loop, work)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await work


async def test_a_cancellation_is_told_from_an_exception_of_the_same_kind() -> None:
    told: list[bool] = []

    async def cancelled() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            told.append(is_from_outside(error))

    async def raised() -> None:
        try:
            raise asyncio.CancelledError
        except asyncio.CancelledError as error:
            told.append(is_from_outside(error))

    task = asyncio.create_task(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    await task
    await asyncio.create_task(raised())
    assert told == [True, False]
    assert is_from_outside(GeneratorExit())
    assert not is_from_outside(SystemExit())
    assert not is_from_outside(ValueError())


def test_outside_of_a_task_nothing_is_cancelled_from_outside() -> None:
    loop = asyncio.new_event_loop()
    told: list[bool] = []

    def callback() -> None:
        told.append(is_from_outside(asyncio.CancelledError()))
        loop.stop()

    loop.call_soon(callback)
    loop.run_forever()
    loop.close()
    assert told == [False]


async def test_what_an_application_gives_is_had_in_the_end_in_whatever_form() -> None:
    async def later(value: object) -> object:
        return value

    assert await resolved(7) == 7
    assert await resolved(later(7)) == 7
    assert await resolved(later(later(7))) == 7


async def test_a_task_that_takes_a_cancellation_for_something_else_is_cancelled_again() -> None:
    taken = 0

    async def deaf() -> None:
        nonlocal taken
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                taken += 1
                if taken == 2:
                    raise

    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError

    tasks = [asyncio.create_task(each) for each in (deaf(), failing(), nothing())]
    await asyncio.sleep(0)
    await cancel_and_wait(*tasks)
    assert [task.done() for task in tasks] == [True] * 3
    assert taken == 2
    await cancel_and_wait()
