"""Draining at the signal: servers close their sockets, or drop them, before they tell the application to stop.

The handlers that the server installed stay in charge of the exit: they are called once the drain is done, and at once
by a second signal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

__all__ = ["DrainSignals"]

log = logging.getLogger("wsproto_core.signals")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class DrainSignals:
    """Our handlers for SIGTERM and SIGINT, and those that were there before."""

    def __init__(self, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> None:
        self._drain = drain
        self._loop = loop
        self._previous: dict[int, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        self._passed_on = False

    @classmethod
    def install(cls, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> DrainSignals | None:
        """Chain our handlers before those that are there; None outside the main thread, where that cannot be done."""
        if threading.current_thread() is not threading.main_thread():
            return None
        handlers = cls(drain, loop)
        for number in _SIGNALS:
            previous = signal.getsignal(number)
            # None is a handler that was not installed from Python; an ignored signal stays ignored.
            if previous is not None and previous is not signal.SIG_IGN:
                handlers._previous[number] = previous
                signal.signal(number, handlers._on_signal)
        return handlers

    def uninstall(self) -> None:
        """Put back what was there before, where nobody else came after us."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, previous)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked or self._loop.is_closed():
            self._call_previous(number, frame)
        else:
            self._asked = True
            self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        self._task = self._loop.create_task(self._drain_then(number))

    async def _drain_then(self, number: int) -> None:
        try:
            await self._drain()
        except Exception:
            log.exception("the drain failed")
        finally:
            # A server takes each call for one more signal, and some drop everything at the second.
            if not self._passed_on:
                self._loop.call_soon(self._call_previous, number, None)

    def _call_previous(self, number: int, frame: FrameType | None) -> None:
        self._passed_on = True
        previous = self._previous[number]
        if callable(previous):
            previous(number, frame)
        else:
            # The default action ends the process, with the exit status that says by which signal.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
