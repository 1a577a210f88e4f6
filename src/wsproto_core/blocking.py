"""One event loop thread per process, for code that has no loop of its own: sync hosts, scripts, plain threads.

It is started when it is first needed, and it does not survive a fork: the child starts its own. Whatever belongs to a
loop (connections to an engine, timers, tasks) lives on it as long as the process.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

from wsproto_core.tasks import running_loop

__all__ = ["LoopThread", "loop_thread"]

log = logging.getLogger("wsproto_core.blocking")

_T = TypeVar("_T")

# What blocks in sync code is meant to: so many may do it at once, for each of a server's threads perhaps one.
_MOST_THREADS: Final = 128
# What a process has begun, and nobody waits for, has so many seconds when it ends.
_LAST_SECONDS: Final = 2.0


class LoopThread:
    """An event loop in a thread of its own. The process has one, `loop_thread`; tests make more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread
        self._begun: set[Future[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which runs; it is started now if that has not been done."""
        loop = self._loop
        if loop is None:
            with self._lock:
                loop = self._loop
                if loop is None:
                    loop = self._loop = self._start()
        return loop

    @property
    def is_running(self) -> bool:
        """Whether it was started in this process."""
        return self._loop is not None

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the loop, from another thread; wait for it and return its result.

        Raises:
            RuntimeError: called on the loop's own thread, which would wait for itself.
        """
        loop = self.loop
        if running_loop() is loop:
            work.close()
            raise RuntimeError("This thread runs the event loop: await the coroutine instead.")
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something on the loop that nobody waits for; what it raises is logged. See `finish`."""
        begun = asyncio.run_coroutine_threadsafe(work, self.loop)
        self._begun.add(begun)
        begun.add_done_callback(self._ended)

    def finish(self) -> None:
        """Give what was begun a little more time: a script may end right after it said something."""
        wait(list(self._begun), timeout=_LAST_SECONDS)

    def stop(self) -> None:
        """End the loop and its thread. What still waits on it never goes on; for tests."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    def forget(self) -> None:
        """Begin anew in a forked child, where the thread is not, and its lock may be held by nobody."""
        self._lock = threading.Lock()
        self._loop = None
        self._begun = set()

    def _ended(self, begun: Future[Any]) -> None:
        self._begun.discard(begun)
        if not begun.cancelled() and begun.exception() is not None:
            log.error("something in the background failed", exc_info=begun.exception())

    def _start(self) -> asyncio.AbstractEventLoop:
        # Of all loops only this kind watches sockets that it did not open, on every system.
        loop = asyncio.SelectorEventLoop()
        loop.set_default_executor(ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="wsproto-blocking"))
        running = threading.Event()
        loop.call_soon(running.set)
        self._thread = threading.Thread(target=_run, args=[loop], name="wsproto-loop", daemon=True)
        self._thread.start()
        running.wait()
        return loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


loop_thread: Final = LoopThread()
"""The loop of this process."""

atexit.register(loop_thread.finish)

if hasattr(os, "register_at_fork"):  # pragma: no branch - the other branch is Windows, which cannot fork
    os.register_at_fork(after_in_child=loop_thread.forget)
