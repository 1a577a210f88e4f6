"""Plain functions in threads, as Django users know them from ``sync_to_async``.

Not all in one thread, which is what ``database_sync_to_async`` does by default: then four actions of one second take
four seconds. A test that wants them to see its transaction asks for just that with ``THREAD_SENSITIVE``.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync

from wsproto_channels.databases import clean_connections

__all__ = ["HandlerThreads", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


class HandlerThreads(Executor):
    """Runs plain functions through ``sync_to_async``, so that ``async_to_sync`` in them finds the connection's loop.

    Args:
        pool: gives the threads.
        thread_sensitive: whether Django's one thread for such is used instead: in a test that of the test.
    """

    def __init__(self, pool: Callable[[], ThreadPoolExecutor], *, thread_sensitive: bool) -> None:
        self._pool = pool
        self._thread_sensitive = thread_sensitive
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread. Called on the event loop."""
        done: Future[T] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # as in the standard library's own: whoever waits is told
                done.set_exception(error)
            else:
                done.set_result(result)

        executor = None if self._thread_sensitive else self._pool()
        call = SyncToAsync(run, thread_sensitive=self._thread_sensitive, executor=executor)
        task = asyncio.get_running_loop().create_task(call())
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, done))
        return done

    def _ended(self, done: Future[Any], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if done.cancelled() or done.done():
            return
        # It was never begun: there are no threads any more.
        if done.set_running_or_notify_cancel():
            done.set_exception(error or asyncio.CancelledError())


def in_thread(function: Callable[P, Any], *, thread_sensitive: bool = False) -> Callable[P, Coroutine[Any, Any, Any]]:
    """Return a plain function as an async one, which runs it in a thread with its database connections cleaned up.

    Args:
        function: what it returns is awaited, if it has to be.
        thread_sensitive: whether it runs in Django's one thread for such.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        with clean_connections():
            return function(*args, **kwargs)

    threaded = SyncToAsync(run, thread_sensitive=thread_sensitive)

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        result = await threaded(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return call
