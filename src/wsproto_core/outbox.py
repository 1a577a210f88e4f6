"""What waits to be written to one connection: bounded, one writer, and nobody else waits for a slow reader.

Queues are for when something has to wait. A frame for a connection that has nothing queued is written at once: by the
handler that answers, or by a task that is done before it is ever scheduled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from wsproto_core.limits import Limits
from wsproto_core.queues import NO_ROOM, FrameQueue, queue_for
from wsproto_core.tasks import start_eagerly
from wsproto_core.transport import Transport

__all__ = ["Outbox", "OutboxOwner", "frame_size"]

Frame = str | bytes


def frame_size(frame: Frame) -> int:
    """Return how many bytes a frame is on the wire."""
    if isinstance(frame, str):
        # A lone surrogate counts as the three bytes that it would be; from a client it is refused, with a reason.
        return len(frame) if frame.isascii() else len(frame.encode("utf-8", "surrogatepass"))
    return len(frame)


class OutboxOwner(Protocol):
    """What an outbox tells its session."""

    def on_slow_consumer(self, why: str) -> None:
        """The client does not read fast enough."""
        ...

    def on_lost(self, events: int) -> None:
        """So many events are never written, because the client does not read fast enough."""
        ...

    def on_write_failed(self, error: Exception) -> None:
        """The transport raised."""
        ...


class Outbox:
    """The frames to one connection, in order. Used on the connection's own loop only.

    Args:
        transport: where they go.
        limits: how many may wait.
        owner: who is told when it cannot go on.
        loop: the connection's event loop.
    """

    __slots__ = (
        "_closed", "_idle", "_limits", "_loop", "_owner", "_queue", "_room", "_since", "_transport",
        "_try_send", "_watch", "_writer", "eager", "writing",
    )  # fmt: skip

    def __init__(
        self, transport: Transport, limits: Limits, owner: OutboxOwner, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._owner = owner
        self._loop = loop
        self._try_send: Callable[[Frame], bool] | None = getattr(transport, "try_send", None)
        self._queue: FrameQueue | None = None
        self._room: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._closed = False
        self.writing = False
        """Whether a write is under way; whatever comes now is queued behind it."""
        self.eager = False
        """Set while a task runs eagerly: its writes are watched only once it is seen to wait."""

    @property
    def queued(self) -> int:
        """How many frames wait."""
        return len(self._queue) if self._queue is not None else 0

    async def answer(self, frame: Frame) -> None:
        """Write a frame for the connection's own request; wait for room where there is none."""
        if self._closed:
            return
        if self.writing:
            self._queue_to_fill().put(frame, frame_size(frame))
            while self._is_over():
                await self._wait_for_room()
            return
        if self._try_send is not None and self._try(self._try_send, frame):
            return
        self.writing = True
        if not self.eager:
            self.watch()
        try:
            await self._transport.send(frame)
        except Exception as error:
            self._fail(error)
            return
        finally:
            self.writing = False
        if self._queue:
            self._start_writer(self._take(self._queue))
        elif self._idle is not None:
            self._wake_idle()

    def push(self, frame: Frame, key: str | None = None) -> bool:
        """Write a frame that comes from elsewhere, or queue it; say whether it was taken. Never waits.

        Args:
            frame: what to write.
            key: see `EncodedEvent`.
        """
        if self._closed:
            return False
        if not self.writing:
            if self._try_send is None or not self._try(self._try_send, frame):
                self._start_writer(frame)
            return not self._closed
        offered = self._queue_to_fill().offer(frame, frame_size(frame), key)
        if offered is NO_ROOM:
            self._owner.on_slow_consumer("its outbox is full")
        elif offered.lost:
            self._owner.on_lost(offered.lost)
        return offered.queued

    def watch(self) -> None:
        """Note that a write begins to wait, and look at it again after the send time-out."""
        self._since = self._loop.time()
        timeout = self._limits.send_timeout
        if self._watch is None and timeout is not None:
            self._watch = self._loop.call_later(timeout, self._check_stall)

    async def flushed(self) -> None:
        """Wait until everything is written, or nothing can be any more."""
        while (self.writing or self._queue) and not self._closed:
            if self._idle is None:
                self._idle = self._loop.create_future()
            await asyncio.shield(self._idle)

    def close(self) -> None:
        """Drop what waits, and let go whoever waits for room."""
        self._closed = True
        self._queue = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._wake_room()
        self._wake_idle()

    def stop_writer(self) -> None:
        """Give up the write that is under way: the connection is gone."""
        if self._writer is not None:
            self._writer.cancel()

    def _try(self, try_send: Callable[[Frame], bool], frame: Frame) -> bool:
        """Write without waiting; say whether nothing more is to be done for this frame."""
        try:
            return try_send(frame)
        except Exception as error:
            self._fail(error)
            return True

    def _start_writer(self, frame: Frame) -> None:
        self.writing = True
        task = start_eagerly(self._write(frame), self._loop)
        if not task.done():  # pragma: no branch - it never is on Python 3.11, which has no eager tasks
            self._writer = task
            self.watch()

    async def _write(self, frame: Frame) -> None:
        try:
            while True:
                await self._transport.send(frame)
                self._since = self._loop.time()
                if not self._queue:
                    return
                frame = self._take(self._queue)
        except Exception as error:
            self._fail(error)
        finally:
            self.writing = False
            self._writer = None
            if self._idle is not None:
                self._wake_idle()

    def _queue_to_fill(self) -> FrameQueue:
        if self._queue is None:
            self._queue = queue_for(self._limits)
        return self._queue

    def _take(self, queue: FrameQueue) -> Frame:
        frame: Frame = queue.take()
        if self._room is not None and not self._is_over():
            self._wake_room()
        return frame

    def _is_over(self) -> bool:
        return self._queue is not None and self._queue.is_over()

    async def _wait_for_room(self) -> None:
        if self._room is None:
            self._room = self._loop.create_future()
        await asyncio.shield(self._room)

    def _wake_room(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def _wake_idle(self) -> None:
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _check_stall(self) -> None:
        self._watch = None
        timeout = self._limits.send_timeout
        if timeout is None or not self.writing or self._closed:
            return
        waited = self._loop.time() - self._since
        if waited < timeout:
            self._watch = self._loop.call_later(timeout - waited, self._check_stall)
        else:
            self._owner.on_slow_consumer(f"it has not read for {timeout:g} seconds")

    def _fail(self, error: Exception) -> None:
        if not self._closed:
            self.close()
            self._owner.on_write_failed(error)
