"""Notices work in threads that takes long, and leaves what is quick alone.

A thread says when it begins and when it has ended, which costs it next to nothing. While there is anything to look
after, the event loop looks every fifty milliseconds; when there is nothing, it is not woken.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary, ref

from wsproto_core.tasks import call_on

__all__ = ["INTERVAL", "Watchdog", "Watched", "watchdog_of"]

INTERVAL: Final = 0.05  # seconds between two looks
_QUIET: Final = 20  # looks at nothing, before it stops looking


class Watched(Protocol):
    """Somebody who may take long."""

    def look(self) -> None:
        """See whether it is still the same work as at the last look; called on the loop."""
        ...


class Watchdog:
    """Looks at what is busy, on one event loop.

    Args:
        loop: that it looks on.

    Attributes:
        looking: whether the next look is due.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.looking = False
        # The loop is the key to its watchdog, which must not keep it alive.
        self._loop: Callable[[], Any] = ref(loop)
        self._lock = threading.Lock()
        self._busy: set[Watched] = set()
        self._quiet = 0

    def begin(self, watched: Watched) -> None:
        """Look after somebody, from any thread."""
        self._busy.add(watched)
        # In this order: a look that decides to be the last one looks again after it has said so.
        if not self.looking and self._start():
            call_on(self._loop(), self._look)

    def end(self, watched: Watched) -> None:
        """Leave somebody alone, from any thread."""
        self._busy.discard(watched)

    def _start(self) -> bool:
        """Say whether it is up to the caller to begin looking."""
        with self._lock:
            started, self.looking = self.looking, True
            return not started

    def _look(self) -> None:
        busy = list(self._busy)
        self._quiet = 0 if busy else self._quiet + 1
        for watched in busy:
            watched.look()
        if self._quiet >= _QUIET:
            self._quiet = 0
            self.looking = False
            if not self._busy or not self._start():
                return
        asyncio.get_running_loop().call_later(INTERVAL, self._look)


_watchdogs: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Watchdog]] = WeakKeyDictionary()


def watchdog_of(loop: asyncio.AbstractEventLoop) -> Watchdog:
    """Return the watchdog of an event loop; called on that loop."""
    watchdog = _watchdogs.get(loop)
    if watchdog is None:
        watchdog = _watchdogs[loop] = Watchdog(loop)
    return watchdog
