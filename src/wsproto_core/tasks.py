"""Starting work on the event loop: eagerly where Python can (3.12 on), so that what does not wait wakes no task."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["running_loop", "start_eagerly"]

_T = TypeVar("_T")

if sys.version_info >= (3, 12):  # noqa: UP036 - 3.11 is supported, and has no eager tasks

    def start_eagerly(coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> asyncio.Task[_T]:
        """Run a coroutine until it first waits; the task is done already when it never does.

        Args:
            coroutine: what to run, with a context of its own.
            loop: the loop that is running in this thread.
        """
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:  # pragma: no cover - the coverage run is on the newest Python

    def start_eagerly(coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> asyncio.Task[_T]:
        """Start a coroutine as a task."""
        return loop.create_task(coroutine)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that is running in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
