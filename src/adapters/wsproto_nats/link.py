"""One connection to a server of NATS: what is written and heard on it, and whether it still lives."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from wsproto_nats.handshake import Opened
from wsproto_nats.wire import Parser

__all__ = ["Link"]

log = logging.getLogger("wsproto_core.backplane")

_PATIENCE: Final = 3.0  # seconds that the server has to answer a PING
_SOON: Final = 0.5  # seconds until a PING asks whether what was published arrived
_SELDOM: Final = 25.0  # seconds until a PING asks whether a silent server is there
_BUSY: Final = 0.5  # seconds by which a timer is late when this process did not get to its work
_LAST: Final = 2.0  # seconds for what was written, when it is closed
_WAITING_BYTES: Final = 8 << 20  # that wait for the server; more is refused
_WAITING_MESSAGES: Final = 65_536
_READ: Final = 1 << 16  # bytes at once


class Link:
    """One connection. Made and used on one event loop.

    Args:
        opened: by the handshake.
        heard: takes the number of a subscription, the subject and the payload of a message.
        where: the server, for the log.
    """

    def __init__(self, opened: Opened, heard: Callable[[int, bytes, bytes], None], where: str) -> None:
        self.stream = opened.stream
        self.where = where
        self._loop = asyncio.get_running_loop()
        self._max_payload = opened.max_payload
        self._parser = Parser(heard, self._control)
        # What goes out in one write, once the loop gets to it.
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._confirming: asyncio.Future[None] | None = None
        self._pings: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._ended: BaseException | None = None
        self._reading: asyncio.Task[None] | None = None
        self._check_in(_SELDOM)

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._ended is None

    def publish(self, subject: str, message: bytes) -> None:
        """Send a message, together with what else is sent at this moment.

        Raises:
            ConnectionError: it has ended, or the server takes nothing any more.
            ValueError: the message is larger than the server takes.
        """
        if self._ended is not None:
            raise ConnectionError(f"the connection to NATS has ended: {self._ended}")
        if len(message) > self._max_payload:
            raise ValueError(
                f"a message of {len(message)} bytes is more than the server's max_payload, {self._max_payload}"
            )
        waiting = self._out_bytes + self.stream.writer.transport.get_write_buffer_size()
        if len(self._out) >= _WAITING_MESSAGES or (waiting and waiting + len(message) > _WAITING_BYTES):
            raise ConnectionError("NATS does not take messages as fast as they are published")
        self.write(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(message), message))
        if not self._pings and (self._timer is None or self._timer.when() > self._loop.time() + _SOON):
            self._check_in(_SOON)

    def write(self, line: bytes) -> None:
        """Send something, together with what else is sent at this moment."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(line)
        self._out_bytes += len(line)

    async def confirm(self) -> None:
        """Wait until the server has taken whatever was sent before.

        Raises:
            ConnectionError: it never will.
        """
        if self._ended is not None:
            raise ConnectionError(f"the connection to NATS has ended: {self._ended}")
        if self._confirming is None:
            # One PING, behind everything else that goes out with it.
            self._confirming = self._loop.create_future()
            self.write(b"")
        await asyncio.shield(self._confirming)

    async def _read(self) -> None:
        try:
            while True:
                data = await self.stream.reader.read(_READ)
                if not data:
                    raise ConnectionError("the server closed the connection")
                self._parser.feed(data)
                # Data that is there already is given without waiting, and others want their turn.
                await asyncio.sleep(0)
        except Exception as error:
            self.end(error)
            raise ConnectionError(str(self._ended)) from error
        except asyncio.CancelledError:
            self.finish()
            raise

    def begin(self) -> asyncio.Task[None]:
        """Read in the background; the task ends with a ConnectionError."""
        self._reading = self._loop.create_task(self._read())
        # Perhaps nobody asks how it ended.
        self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._reading

    async def settle(self) -> None:
        """Wait until the server has taken what was sent before, but not for long."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LAST):
                await self.confirm()

    def finish(self) -> None:
        """Write what is left, and end it."""
        self._flush()
        self.end(ConnectionError("it was closed"))

    def end(self, why: BaseException) -> None:
        """End it now; whoever waits for a confirmation is told why. Only the first call counts."""
        if self._ended is not None:
            return
        self._ended = why
        if self._timer is not None:
            self._timer.cancel()
        self._out.clear()
        waiting = [*self._pings, *([self._confirming] if self._confirming is not None else [])]
        self._pings.clear()
        self._confirming = None
        for each in waiting:
            if not each.done():
                each.set_exception(ConnectionError(f"the connection to NATS has ended: {why}"))
                each.exception()  # perhaps nobody waits any more
        self.stream.abort()

    def abandon(self) -> None:
        """Let it go without its loop, which has ended or belongs to the parent of this process."""
        self._ended = ConnectionError("its loop has ended")
        if self._reading is not None:
            # It is no mistake that it never ends.
            self._reading._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        self.stream.abandon()

    def _flush(self) -> None:
        if self._ended is not None:
            return
        if self._confirming is not None:
            self._ping(self._confirming)
            self._confirming = None
        data = b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        self.stream.writer.write(data)

    def _ping(self, waiting: asyncio.Future[None]) -> None:
        self._out.append(b"PING\r\n")
        self._pings.append(waiting)
        if len(self._pings) == 1:
            self._check_in(_PATIENCE)

    def _check_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._check, self._loop.time() + seconds)

    def _check(self, due: float) -> None:
        """Ask whether the server is there, or give it up when it did not answer."""
        if self._loop.time() > due + _BUSY:
            # It was this process that did nothing; perhaps the answer is there already.
            self._check_in(_PATIENCE)
        elif self._pings:
            self.end(TimeoutError("the server does not answer"))
        else:
            self._timer = None
            if self._confirming is None:
                self._confirming = self._loop.create_future()
                self.write(b"")

    def _control(self, verb: bytes, rest: bytes) -> None:
        if verb == b"PING":
            self.write(b"PONG\r\n")
        elif verb == b"PONG":
            if self._pings:
                answered = self._pings.popleft()
                if not answered.done():
                    answered.set_result(None)
            self._check_in(_PATIENCE if self._pings else _SELDOM)
        elif verb == b"-ERR":
            what = rest.decode(errors="replace").strip("' ")
            # After anything else the server closes the connection.
            if "permissions violation" not in what.lower():
                raise ConnectionError(f"the server says: {what:.200}")
            log.warning("NATS at %s does not allow something that the backplane needs: %.200s", self.where, what)
