"""Starting work on the event loop: eagerly where Python can (3.12 on), so that what does not wait wakes no task."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final, Generic, TypeVar

__all__ = [
    "NOTHING", "Done", "call_on", "cancel_and_wait", "is_from_outside", "on_loop", "resolved", "running_loop",
    "start_eagerly",
]  # fmt: skip

_T = TypeVar("_T")

_CANCEL_AGAIN: Final = 0.5  # seconds

if sys.version_info >= (3, 12):  # pragma: no cover - the coverage run may be on 3.11

    def start_eagerly(
        coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop, context: Context | None = None
    ) -> asyncio.Task[_T]:
        """Run a coroutine until it first waits; the task is done already when it never does.

        Args:
            coroutine: what to run.
            loop: the loop that is running in this thread.
            context: that it runs in; by default a copy of the current one.
        """
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)

else:  # pragma: no cover - or on a newer one

    def start_eagerly(
        coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop, context: Context | None = None
    ) -> asyncio.Task[_T]:
        """Start a coroutine as a task."""
        return loop.create_task(coroutine, context=context)


class Done(Generic[_T]):
    """Something to await that has happened already; it need not be awaited.

    Args:
        result: what awaiting it gives.
    """

    __slots__ = ("_result",)

    def __init__(self, result: _T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, _T]:
        yield from ()
        return self._result


NOTHING: Final = Done(None)
"""What is awaited where there is nothing to do."""


async def resolved(value: Any) -> Any:
    """Return what a function of the application gave, whether it was async or not.

    A plain function in a thread gives a future, and may give an awaitable in that.
    """
    while inspect.isawaitable(value):
        value = await value
    return value


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that is running in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def call_on(loop: asyncio.AbstractEventLoop, function: Any, *arguments: Any) -> bool:
    """Call something on another loop, soon; say whether that loop still runs."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return False
    return True


def on_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T]) -> Awaitable[_T]:
    """Return something to await here that runs on another loop, or on this one.

    Raises:
        RuntimeError: that loop has been closed.
    """
    if loop is running_loop():
        return work
    try:
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
    except RuntimeError:
        work.close()
        raise


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, as often as it takes, and wait until they have ended.

    What a task awaits may take a cancellation for something else and go on: ``asyncio.wait_for`` does on Python 3.11
    when its time is not up and what it waits for has just come, and libraries use it.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN)
        for task in ended:
            if not task.cancelled():
                task.exception()  # so that nobody says it was never looked at


def is_from_outside(error: BaseException) -> bool:
    """Say whether an exception ends the running task from outside, as when its loop is torn down.

    A coroutine can raise the same exceptions by itself, and then they are as good as any other.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit)
