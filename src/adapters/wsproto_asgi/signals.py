"""Draining before the server drops its connections: at the signals, in whatever way the server listens to them.

Most servers have handlers that ours come before; the hub does that. granian hands a signal from the event loop to its
Rust side, which drops all connections at once and does not ask: there ours takes the place of its handler, and tells
the Rust side when the drain is done.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import traceback
from typing import Any, Final, Protocol
from weakref import WeakSet

__all__ = ["Drainable", "install_signal_handlers"]


class _Settings(Protocol):
    @property
    def install_signal_handlers(self) -> bool:
        """Whether the signals begin the drain."""
        ...


class Drainable(Protocol):
    """What has connections to drain: a hub, or whatever else has the same three members."""

    @property
    def settings(self) -> _Settings:
        """Say whether it wants to be drained at the signals."""
        ...

    def install_signal_handlers(self) -> None:
        """Put handlers before those of the server, if the settings say so."""
        ...

    async def drain(self) -> None:
        """Close all connections."""
        ...


def install_signal_handlers(hub: Drainable) -> None:
    """Begin the drain of a hub at SIGTERM and SIGINT, if its settings say so and this is the main thread."""
    if not hub.settings.install_signal_handlers or hub in _granian.hubs:
        return
    if threading.current_thread() is threading.main_thread():
        event = _granian_event()
        if event is not None:
            _granian.follow(hub, event)
            return
    hub.install_signal_handlers()


def _granian_event() -> Any:
    """Return what ends this worker of granian when it is set; None where this is none.

    It is a variable of the function that runs the worker's event loop, and nothing else knows it.
    """
    if "granian.server" not in sys.modules:
        return None
    for frame, _ in traceback.walk_stack(sys._getframe()):
        if frame.f_globals.get("__name__", "").startswith("granian.server.") and "shutdown_event" in frame.f_locals:
            event = frame.f_locals["shutdown_event"]
            return event if hasattr(event, "set") else None
    return None


class _Granian:
    """The drain of a worker of granian.

    Attributes:
        hubs: that are drained.
    """

    def __init__(self) -> None:
        self.hubs: WeakSet[Drainable] = WeakSet()
        self._event: Any = None
        self._task: asyncio.Task[None] | None = None

    def follow(self, hub: Drainable, event: Any) -> None:
        """Drain a hub at the signals, from now on."""
        self.hubs.add(hub)
        if self._event is None:
            self._event = event
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())
        else:
            self._event.set()

    async def _drain(self) -> None:
        try:
            await asyncio.gather(*(hub.drain() for hub in list(self.hubs)), return_exceptions=True)
        finally:
            self._event.set()


_granian: Final = _Granian()
