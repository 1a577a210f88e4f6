"""Draining at the signal: servers close their sockets, or drop them, before they tell the application to stop.

The handlers that the server installed stay in charge of the exit: they are called once the drain is done, and at once
by a second signal. Where connections have threads, which a process waits for, a second interrupt closes them first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final, Self

from wsproto_core.blocking import loop_thread
from wsproto_core.tasks import call_on

__all__ = ["DrainSignals", "LoopThreadDrainSignals"]

log = logging.getLogger("wsproto_core.signals")

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_QUIT: Final = getattr(signal, "SIGQUIT", None)
_SIGNALS: Final = (*_STOPPING, *([] if _QUIT is None else [_QUIT]))
# What a terminal or a service manager sends to all processes, gunicorn's parent passes on to its workers: to them it
# comes twice, and is no second one.
_ECHOES: Final = ((signal.SIGINT, _QUIT), (signal.SIGTERM, signal.SIGTERM))
# What is cut short has so many seconds to say so.
_LAST_SECONDS: Final = 1.0


class _Chain(ABC):
    """Our handlers for SIGTERM and SIGINT, and those that were there before."""

    def __init__(self, drain: Callable[[], Awaitable[None]]) -> None:
        self._drain = drain
        self._previous: dict[int, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._number: int | None = None  # of the signal that is passed on in the end
        self._called: list[Any] = []

    def uninstall(self) -> None:
        """Put back what was there before, where nobody else came after us."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, previous)

    def _install(self) -> Self | None:
        if threading.current_thread() is not threading.main_thread():
            return None
        for number in _SIGNALS:
            previous = signal.getsignal(number)
            # None is a handler that was not installed from Python; an ignored signal stays ignored. SIGQUIT is a way to
            # stop only where a server has made it one: gunicorn sends it to its workers when it gets a SIGINT.
            if callable(previous) or (previous is signal.SIG_DFL and number in _STOPPING):
                self._previous[number] = previous
                signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._number is not None:
            if not self._take_again(number):
                self._call_previous(number, frame)
            return
        loop = self._find_loop()
        if loop is None:
            self._call_previous(number, frame)
        else:
            self._number = number
            loop.call_soon_threadsafe(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._drain_then(loop))

    async def _drain_then(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await self._drain()
        except Exception:
            log.exception("the drain failed")
        finally:
            number = self._number
            # A server takes each call for one more signal, and some drop everything at the second.
            if number is not None and self._previous[number] not in self._called:
                self._pass_on(number, loop)

    def _call_previous(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous[number]
        self._called.append(previous)
        if callable(previous):
            previous(number, frame)
        else:
            # The default action ends the process, with the exit status that says by which signal.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _take_again(self, number: int) -> bool:
        """See to a further signal; say whether that is all there is to do about it now."""
        return False

    @abstractmethod
    def _find_loop(self) -> asyncio.AbstractEventLoop | None:
        """Return the loop to drain on, or None when there is nothing to drain."""

    @abstractmethod
    def _pass_on(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Have the handler that was there before called in the main thread, from the loop."""


class DrainSignals(_Chain):
    """For hosts whose event loop runs in the main thread."""

    def __init__(self, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(drain)
        self._loop = loop

    @classmethod
    def install(cls, drain: Callable[[], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> DrainSignals | None:
        """Chain our handlers before those that are there; None outside the main thread, where that cannot be done."""
        return cls(drain, loop)._install()

    def _find_loop(self) -> asyncio.AbstractEventLoop | None:
        return None if self._loop.is_closed() else self._loop

    def _pass_on(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self._call_previous, number, None)


class LoopThreadDrainSignals(_Chain):
    """For hosts whose connections live on the loop thread of the process (see `blocking`), and have threads.

    The end of a process waits for threads. So a second interrupt has the connections closed before it is passed on.
    """

    def __init__(
        self, drain: Callable[[], Awaitable[None]], has_work: Callable[[], bool], cut: Callable[[], object]
    ) -> None:
        super().__init__(drain)
        self._has_work = has_work
        self._cut = cut
        self._process = os.getpid()
        self._echoed = self._hurried = self._over = False

    @classmethod
    def install(
        cls, drain: Callable[[], Awaitable[None]], has_work: Callable[[], bool], cut: Callable[[], object]
    ) -> LoopThreadDrainSignals | None:
        """Chain our handlers before those that are there; None outside the main thread, where that cannot be done.

        Args:
            drain: runs on the loop thread.
            has_work: asked first, in the main thread; when there is nothing to drain, the process goes on as it would
                without us.
            cut: called on the loop thread at a second interrupt: what still runs is to end now.
        """
        return cls(drain, has_work, cut)._install()

    def is_installed(self) -> bool:
        """Say whether the signals still come here first, in this process."""
        return self._process == os.getpid() and all(
            signal.getsignal(number) == self._on_signal for number in self._previous
        )

    def _take_again(self, number: int) -> bool:
        if self._over or self._process != os.getpid():
            return False
        if (self._number, number) in _ECHOES and callable(self._previous[number]) and not self._echoed:
            self._echoed = True
            return True
        if number == signal.SIGTERM or self._hurried:
            return False
        self._hurried = True
        self._echoed = False
        self._number = number
        return call_on(loop_thread.loop, self._hurry)

    def _hurry(self) -> None:
        self._cut()
        if self._task is not None:  # pragma: no branch - the drain begins before
            loop_thread.loop.call_later(_LAST_SECONDS, self._task.cancel)

    def _find_loop(self) -> asyncio.AbstractEventLoop | None:
        # A forked child has inherited the handlers, and none of the connections.
        if self._process != os.getpid() or not self._has_work() or not loop_thread.is_running:
            return None
        return loop_thread.loop

    def _pass_on(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        # The handlers expect the main thread, and it may have to be woken: the signal comes once more.
        self._over = True
        os.kill(os.getpid(), number)
