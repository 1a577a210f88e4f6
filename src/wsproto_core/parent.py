"""Draining when the parent process says so: hypercorn tells its workers by an event of multiprocessing, not a signal.

Nothing of it reaches the application before the connections are dropped. From Python 3.12 on nothing would reach it at
all: hypercorn waits then until every connection has ended by itself.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

__all__ = ["ParentWatch"]

log = logging.getLogger("wsproto_core.parent")

_INTERVAL: Final = 0.1  # seconds; hypercorn itself looks at the event as often


class ParentWatch:
    """Looks for the event that a parent process ends this one by.

    Args:
        event: has ``is_set``. To wait for it could block the parent, which waits in turn for whoever waits.
        drain: is run once, when the event is set.
        loop: that it runs on.
    """

    def __init__(self, event: Any, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> None:
        self._event = event
        self._drain = drain
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._timer = loop.call_later(_INTERVAL, self._look)

    @classmethod
    def follow(cls, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> ParentWatch | None:
        """Watch the parent of this process; None where it is not one that ends its children by an event."""
        processes = sys.modules.get("multiprocessing.process")
        if processes is None:
            return None
        # What the parent started this process with. There is no public way to ask for it.
        event = getattr(processes.current_process(), "_kwargs", {}).get("shutdown_event")
        return cls(event, drain, loop) if hasattr(event, "is_set") else None

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        if self._event.is_set():
            self._task = self._loop.create_task(self._run())
        else:
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    async def _run(self) -> None:
        try:
            await self._drain()
        except Exception:
            log.exception("the drain failed")
