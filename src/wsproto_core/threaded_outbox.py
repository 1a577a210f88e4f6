"""What waits to be written to a connection that any thread may write to: bounded, in order, one writer at a time.

Who finds nobody writing takes the pen and writes what is queued. Only the thread that reads a connection may wait
until its client takes more, which is that client's own backpressure; everybody else writes what the socket takes
now, and leaves the rest to the event loop. Nothing is written while the lock is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future as ThreadFuture
from threading import Lock
from time import monotonic
from typing import Final, NamedTuple, Protocol

from wsproto_core.limits import Limits
from wsproto_core.outbox import OutboxOwner, frame_size
from wsproto_core.queues import NO_ROOM, FrameQueue, Offered, queue_for
from wsproto_core.tasks import NOTHING, call_on

__all__ = ["GONE", "Closing", "Frame", "ThreadedOutbox", "Writable"]

_BURST: Final = 32  # frames that one thread writes in a row; the loop goes on with the rest


class Closing(NamedTuple):
    """A close frame, the last that is written."""

    code: int
    reason: str


Frame = str | bytes | Closing

GONE: Final = Offered(queued=False)
"""Nothing more is taken, and nobody has to be told."""


class Writable(Protocol):
    """What a host gives to write through; only one thread at a time calls ``write`` and ``write_more``."""

    @property
    def due(self) -> bool:
        """Whether there is something of the WebSocket protocol's own to write: the answer to a ping, say."""
        ...

    def write(self, frame: Frame | None) -> bool:
        """Write a frame, after what is due, as far as that takes no waiting; say whether all of it was written."""
        ...

    def write_more(self) -> bool:
        """Go on with what was left; say whether all of it was written."""
        ...

    def wait_writable(self, timeout: float | None) -> bool:
        """Wait until something can be written, at most so many seconds; say whether it can.

        The end of the connection ends the wait as well, also when it comes from another thread, by `drop`; what is
        written then raises.
        """
        ...

    def fileno(self) -> int:
        """The socket, for the event loop to watch."""
        ...

    def drop(self) -> None:
        """End the connection without a close frame, from any thread; who waits to read or to write is let go."""
        ...


class ThreadedOutbox:
    """The frames to one connection, in order.

    Args:
        transport: where they go.
        limits: how many may wait.
        owner: who is told, on the loop, when it cannot go on.
        loop: the connection's event loop.

    Attributes:
        lock: whoever numbers a frame holds it until the frame has its place: see `place`.
        writing: whether somebody has the pen.
        eager: of no use here; see `Outbox`.
    """

    __slots__ = (
        "_closed", "_idle", "_limits", "_loop", "_owner", "_queue", "_released", "_room", "_since",
        "_transport", "_watch", "_watched", "eager", "lock", "writing",
    )  # fmt: skip

    def __init__(
        self, transport: Writable, limits: Limits, owner: OutboxOwner, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.lock = Lock()
        self.writing = False
        self.eager = False
        self._transport = transport
        self._limits = limits
        self._owner = owner
        self._loop = loop
        self._queue: FrameQueue | None = None
        self._closed = False
        self._room: ThreadFuture[None] | None = None
        self._idle: ThreadFuture[None] | None = None
        self._since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._watched = False
        self._released = False

    @property
    def queued(self) -> int:
        """How many frames wait."""
        return len(self._queue) if self._queue is not None else 0

    def place(self, frame: str | bytes) -> bool:
        """Give a frame its place, with the lock held; say whether the caller has the pen now, and has to `write` it."""
        if self._closed:
            return False
        if self.writing:
            self._queue_to_fill().put(frame, frame_size(frame))
            return False
        self.writing = True
        return True

    def place_pushed(self, frame: str | bytes, key: str | None) -> Offered | None:
        """Give a frame from elsewhere its place, with the lock held; return what `pushed` wants to know."""
        if self._closed:
            return GONE
        if self.writing:
            return self._queue_to_fill().offer(frame, frame_size(frame), key)
        self.writing = True
        return None

    def write(self, frame: Frame | None, *, wait: bool) -> None:
        """Write a frame, and what is queued behind it; the caller has the pen.

        Args:
            frame: what was placed; None for what is due.
            wait: whether this thread may wait for the client, up to the send time-out for each frame.
        """
        transport = self._transport
        written = 0
        try:
            while True:
                self._since = monotonic() if wait else 0.0
                if not transport.write(frame) and not (wait and self._wait_until_written()):
                    self._hand_over()
                    return
                with self.lock:
                    queue = self._queue
                    if queue:
                        frame = self._take(queue)
                    elif transport.due:
                        frame = None
                    else:
                        self.writing = False
                        if self._idle is not None:
                            self._wake_idle(self._idle)
                        return
                    written += 1
                if written >= _BURST:
                    # Others keep it busy, and this thread has more to do.
                    call_on(self._loop, self.write_later, frame)
                    return
        except Exception as error:
            self._fail(error)

    def write_later(self, frame: Frame | None) -> None:
        """Go on writing, on the loop."""
        if self._released:
            self._put_down()
        else:
            self.write(frame, wait=False)

    def answer(self, frame: str | bytes) -> Awaitable[None]:
        """Write a frame for the connection's own request, on a loop; awaiting it waits for room."""
        with self.lock:
            mine = self.place(frame)
        return self.answered(frame, mine)

    def answered(self, frame: str | bytes, mine: bool) -> Awaitable[None]:
        """Go on with what was placed, on a loop; see `answer`."""
        if mine:
            self.write(frame, wait=False)
        return self._wait_for_room() if self._is_over() else NOTHING

    def answer_here(self, frame: str | bytes, mine: bool) -> None:
        """Go on with what was placed, in a thread that may wait; return when there is room again."""
        if mine:
            self.write(frame, wait=True)
        if self._is_over():
            while (room := self._room_to_come()) is not None:
                room.result()

    def push(self, frame: str | bytes, key: str | None = None) -> bool:
        """Write a frame that comes from elsewhere, or queue it; say whether it was taken. Never waits."""
        with self.lock:
            placed = self.place_pushed(frame, key)
        return self.pushed(frame, placed)

    def pushed(self, frame: str | bytes, placed: Offered | None) -> bool:
        """Go on with what was placed, in any thread; see `push`.

        Args:
            frame: what was placed.
            placed: what became of it; None when the caller has the pen, and it is to be written.
        """
        if placed is None:
            self.write(frame, wait=False)
            return not self._closed
        if placed is NO_ROOM:
            self.give_up("its outbox is full")
        elif placed.lost:
            self._owner.on_lost(placed.lost)
        return placed.queued

    def nudge(self) -> None:
        """Write what is due, unless somebody writes and will see it."""
        with self.lock:
            mine = not self.writing
            self.writing = True
        if mine:
            self.write(None, wait=False)

    def give_up(self, why: str) -> None:
        """Take nothing more for a client that does not read fast enough; the owner is told."""
        with self.lock:
            first = not self._closed
            if first:
                self._drop()
        if first:
            call_on(self._loop, self._owner.on_slow_consumer, why)

    def watch(self) -> None:
        """Do nothing: each write looks after itself; see `Outbox`."""

    def stop_writer(self) -> None:
        """Do nothing: nobody waits who is not let go by the end of the socket; see `Outbox`."""

    async def flushed(self) -> None:
        """Wait until everything is written, or nothing can be any more."""
        while (idle := self._idle_to_come()) is not None:
            await asyncio.shield(asyncio.wrap_future(idle))

    async def finish(self, closing: Closing) -> None:
        """Write a close frame after the frame that is under way; wait for that."""
        with self.lock:
            self._drop()
            self._queue = queue_for(self._limits)
            self._queue.put(closing, 0)
            mine = not self.writing
            self.writing = True
        if mine:
            # The queue has it.
            self.write(None, wait=False)
        while (idle := self._pen_to_come()) is not None:
            await asyncio.shield(asyncio.wrap_future(idle))

    def close(self) -> None:
        """Drop what waits, and let go whoever waits for room."""
        with self.lock:
            self._drop()

    def release(self) -> None:
        """Let the loop go of the socket, on the loop; see `released`."""
        had_pen = self._watched
        self._released = True
        self._unwatch()
        with self.lock:
            self._drop()
        if had_pen:
            self._put_down()

    def released(self) -> None:
        """Wait until nobody writes any more, in a thread: the socket may be closed then."""
        while (idle := self._pen_to_come()) is not None:
            idle.result()

    def _queue_to_fill(self) -> FrameQueue:
        if self._queue is None:
            self._queue = queue_for(self._limits)
        return self._queue

    def _take(self, queue: FrameQueue) -> Frame:
        frame: Frame = queue.take()
        if self._room is not None and not self._is_over():
            self._wake_room(self._room)
        return frame

    def _is_over(self) -> bool:
        return self._queue is not None and self._queue.is_over()

    def _wait_until_written(self) -> bool:
        """Wait for the client; give up a slow one, and say that it was."""
        timeout = self._limits.send_timeout
        transport = self._transport
        while True:
            left = None if timeout is None else self._since + timeout - monotonic()
            if (left is not None and left <= 0) or not transport.wait_writable(left):
                self.give_up(f"it has not read for {timeout:g} seconds")
                return False
            if transport.write_more():
                return True

    def _hand_over(self) -> None:
        """Leave the rest of a frame, and the pen, to the loop."""
        if not call_on(self._loop, self._watch_socket):
            self._fail(ConnectionError("the event loop has ended"))

    def _watch_socket(self) -> None:
        if self._released:
            self._put_down()
            return
        self._watched = True
        self._loop.add_writer(self._transport.fileno(), self._writable)
        timeout = self._limits.send_timeout
        if timeout is not None:
            self._watch = self._loop.call_later(timeout, self._stalled)

    def _writable(self) -> None:
        try:
            if not self._transport.write_more():
                return
        except Exception as error:
            self._unwatch()
            self._fail(error)
            return
        self._unwatch()
        with self.lock:
            frame = self._take(self._queue) if self._queue else None
        self.write(frame, wait=False)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._watched:
            self._watched = False
            self._loop.remove_writer(self._transport.fileno())

    def _stalled(self) -> None:
        self._watch = None
        self.give_up(f"it has not read for {self._limits.send_timeout:g} seconds")

    def _drop(self) -> None:
        """Take nothing more, and drop what waits; the lock is held."""
        self._closed = True
        self._queue = None
        if self._room is not None:
            self._wake_room(self._room)
        if self._idle is not None:
            self._wake_idle(self._idle)

    def _put_down(self) -> None:
        with self.lock:
            self.writing = False
            if self._idle is not None:
                self._wake_idle(self._idle)

    def _fail(self, error: Exception) -> None:
        self.close()
        self._put_down()
        # The reader finds that out, and says how the connection ended.
        self._transport.drop()
        if not isinstance(error, OSError):
            call_on(self._loop, self._owner.on_write_failed, error)

    def _wait_for_room(self) -> Awaitable[None]:
        async def wait() -> None:
            while (room := self._room_to_come()) is not None:
                await asyncio.shield(asyncio.wrap_future(room))

        return wait()

    def _room_to_come(self) -> ThreadFuture[None] | None:
        with self.lock:
            if self._closed or not self._is_over():
                return None
            if self._room is None:
                self._room = ThreadFuture()
            return self._room

    def _idle_to_come(self) -> ThreadFuture[None] | None:
        with self.lock:
            return None if self._closed else self._pen()

    def _pen_to_come(self) -> ThreadFuture[None] | None:
        with self.lock:
            return self._pen()

    def _pen(self) -> ThreadFuture[None] | None:
        if not self.writing:
            return None
        if self._idle is None:
            self._idle = ThreadFuture()
        return self._idle

    def _wake_room(self, room: ThreadFuture[None]) -> None:
        self._room = None
        room.set_result(None)

    def _wake_idle(self, idle: ThreadFuture[None]) -> None:
        self._idle = None
        idle.set_result(None)
