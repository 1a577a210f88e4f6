"""What goes out to a channel layer: one message after another, so that each topic keeps its order."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from wsproto_core.tasks import cancel_and_wait

__all__ = ["TIMEOUT", "Writer"]

TIMEOUT: Final = 1.0  # seconds for one step of the layer
_MESSAGES: Final = 10_000  # that wait; more are refused
_BYTES: Final = 16 << 20
_LAST: Final = 2.0  # seconds for what still waits, when it ends

_Outgoing = list[tuple[str, dict[str, Any]]]


class _Lane:
    """What waits on one event loop."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[_Outgoing, int, asyncio.Future[None]]] = deque()
        self.bytes = 0
        self.task: asyncio.Task[None]


class Writer:
    """Sends to groups in order. Each event loop has a lane of its own, as long as something waits.

    Args:
        send: sends one message to a group.
    """

    def __init__(self, send: Callable[[str, dict[str, Any]], Awaitable[None]]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._lanes: dict[asyncio.AbstractEventLoop, _Lane] = {}

    async def write(self, outgoing: _Outgoing, size: int) -> None:
        """Send messages to their groups, after whatever was given before; return once that is done.

        Args:
            outgoing: the groups, each with its message.
            size: of all of it, in bytes.

        Raises:
            ConnectionError: too much waits already, or what was before it failed.
            Exception: what the layer raises.
        """
        loop = asyncio.get_running_loop()
        lane = self._lane(loop)
        if len(lane.waiting) >= _MESSAGES or (lane.waiting and lane.bytes + size > _BYTES):
            raise ConnectionError("the channel layer does not take messages as fast as they are published")
        done: asyncio.Future[None] = loop.create_future()
        lane.waiting.append((outgoing, size, done))
        lane.bytes += size
        # Whoever is cancelled meanwhile has said it all the same: it has a number.
        await asyncio.shield(done)

    async def finish(self) -> None:
        """Wait for what still waits on this loop, but not for long."""
        lane = self._lanes.get(asyncio.get_running_loop())
        if lane is not None:
            await asyncio.wait([lane.task], timeout=_LAST)
            await cancel_and_wait(lane.task)

    def _lane(self, loop: asyncio.AbstractEventLoop) -> _Lane:
        with self._lock:
            for each in [each for each in self._lanes if each.is_closed()]:
                del self._lanes[each]
            lane = self._lanes.get(loop)
            if lane is None or lane.task.done():
                lane = self._lanes[loop] = _Lane()
                lane.task = loop.create_task(self._write(loop, lane))
            return lane

    async def _write(self, loop: asyncio.AbstractEventLoop, lane: _Lane) -> None:
        try:
            while lane.waiting:
                outgoing, size, done = lane.waiting[0]
                try:
                    async with asyncio.timeout(TIMEOUT):
                        for group, message in outgoing:
                            await self._send(group, message)
                except Exception as error:
                    # The rest would fail as well, and later.
                    _fail(lane, error)
                    return
                lane.waiting.popleft()
                lane.bytes -= size
                if not done.done():
                    done.set_result(None)
        finally:
            with self._lock:
                if self._lanes.get(loop) is lane:
                    del self._lanes[loop]
            _fail(lane, ConnectionError("the channel layer was left"))


def _fail(lane: _Lane, error: Exception) -> None:
    while lane.waiting:
        _, _, done = lane.waiting.popleft()
        if not done.done():
            done.set_exception(error)
            done.exception()  # perhaps nobody waits any more
