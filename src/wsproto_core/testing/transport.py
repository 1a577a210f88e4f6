"""A transport without a socket: frames end up in a list."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wsproto_core.transport import ConnectionInfo

__all__ = ["MemoryTransport"]


class MemoryTransport:
    """Keeps what is written to a connection until it is read.

    Args:
        info: what the connection tells about itself.

    Attributes:
        close_code, close_reason: what the connection was closed with; None while it is open.
        on_close: called with both, as the close frame that a client answers with; None leaves it unanswered.
    """

    def __init__(self, info: ConnectionInfo | None = None) -> None:
        self.info = info or ConnectionInfo()
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.on_close: Callable[[int, str], None] | None = None
        self._frames: deque[str | bytes] = deque()
        self._changed = asyncio.Condition()
        self._readable = asyncio.Event()
        self._readable.set()

    async def send(self, frame: str | bytes) -> None:
        """Take one frame; wait while the client does not read."""
        await self._readable.wait()
        self._frames.append(frame)
        await self._notify()

    async def close(self, code: int, reason: str) -> None:
        """Take the close frame."""
        self.close_code, self.close_reason = code, reason
        await self._notify()
        if self.on_close is not None:
            self.on_close(code, reason)

    def stop_reading(self) -> None:
        """Act as a client that does not read any more: writes wait from now on."""
        self._readable.clear()

    def resume_reading(self) -> None:
        """Read again."""
        self._readable.set()

    async def next_frame(self) -> str | bytes | None:
        """Return the next frame, or None when the connection was closed and all has been read."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._frames or self.close_code is not None)
            return self._frames.popleft() if self._frames else None

    def frames(self) -> list[str | bytes]:
        """Return what was written and not read yet, and forget it."""
        taken = list(self._frames)
        self._frames.clear()
        return taken

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
