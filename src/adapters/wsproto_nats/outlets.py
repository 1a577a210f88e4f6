"""Publishing where nothing listens: in scripts, views and workers, on whatever event loop they have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from wsproto_core.tasks import call_on, running_loop
from wsproto_nats.connecting import Connector
from wsproto_nats.link import Link

__all__ = ["Outlets"]

_PAUSE: Final = 1.0  # seconds until a server that could not be reached is tried again

Outgoing = Iterable[tuple[str, bytes]]


class Outlets:
    """A connection for each event loop that publishes. Safe from any thread.

    Args:
        connector: that makes them.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._lock = threading.Lock()
        self._by_loop: dict[asyncio.AbstractEventLoop, _Outlet] = {}

    async def publish(self, outgoing: Outgoing) -> None:
        """Send messages to their subjects; return once the server has them.

        Raises:
            ConnectionError: it is away.
            ValueError: a message is larger than it takes.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            for each in [each for each in self._by_loop if each.is_closed()]:
                self._by_loop.pop(each).abandon()
            outlet = self._by_loop.get(loop)
            if outlet is None:
                outlet = self._by_loop[loop] = _Outlet(self._connector)
        await outlet.publish(outgoing)

    async def close(self) -> None:
        """Close all of them."""
        with self._lock:
            outlets, self._by_loop = self._by_loop, {}
        for loop, outlet in outlets.items():
            if loop is running_loop():
                await outlet.close()
            elif not call_on(loop, outlet.end):
                outlet.abandon()

    def abandon(self) -> None:
        """Forget those of the parent of this process."""
        self._lock = threading.Lock()
        outlets, self._by_loop = self._by_loop, {}
        for outlet in outlets.values():
            outlet.abandon()


class _Outlet:
    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connecting = asyncio.Lock()
        self._link: Link | None = None
        self._reading: asyncio.Task[None] | None = None
        self._failed: tuple[float, Exception] | None = None

    async def publish(self, outgoing: Outgoing) -> None:
        # Whoever comes while it connects waits, in turn.
        async with self._connecting:
            link = await self._connect()
            for subject, message in outgoing:
                link.publish(subject, message)
        await link.confirm()

    async def close(self) -> None:
        if self._link is not None:
            await self._link.settle()
            self.end()
        if self._reading is not None:
            with suppress(ConnectionError):
                await self._reading

    def end(self) -> None:
        if self._link is not None:
            self._link.finish()

    def abandon(self) -> None:
        if self._link is not None:
            self._link.abandon()

    async def _connect(self) -> Link:
        if self._link is not None and self._link.is_open:
            return self._link
        loop = asyncio.get_running_loop()
        if self._failed is not None and loop.time() < self._failed[0]:
            raise ConnectionError(f"NATS was away a moment ago: {self._failed[1]}")
        try:
            self._link = await self._connector.connect(_hear_nothing)
        except Exception as error:
            self._failed = (loop.time() + _PAUSE, error)
            raise
        self._failed = None
        self._reading = self._link.begin()
        return self._link


def _hear_nothing(number: int, subject: bytes, payload: bytes) -> None:
    """Nothing was subscribed."""
