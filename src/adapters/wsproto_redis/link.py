"""One connection to Redis: commands are written together and answered in order, messages are handed on as they come.

redis-py connects, does TLS, logs in and speaks RESP3. Then its stream is taken over, and what comes is given to hiredis
as it arrives: no task waits for each message, and a thousand of them take one turn of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import AbstractConnection

__all__ = ["Away", "Confirmation", "Link", "ReplyError", "give_up", "open_link", "socket_options"]

_NOTHING: Final = object()


class Away(ConnectionError):
    """Redis cannot be reached just now."""


class ReplyError(Exception):
    """Redis refuses a command."""


Push = Callable[[list[Any]], None]


class Confirmation:
    """Waits until Redis has done what has no answer of its own: to subscribe and to unsubscribe.

    They are followed by a ``PING``, whose answer comes after whatever they bring.

    Attributes:
        done: gives the errors that came.
    """

    __slots__ = ("done", "errors")

    def __init__(self, done: asyncio.Future[list[ReplyError]]) -> None:
        self.done = done
        self.errors: list[ReplyError] = []


_Target = asyncio.Future[Any] | Confirmation | None
_Slot = tuple[int, float, _Target]  # bytes, when it was sent, and who waits


class Link(asyncio.Protocol):
    """A connection that is ready for commands.

    Args:
        connection: that redis-py has made; the link takes its stream.
        timeout: seconds that an answer may take; then the connection is given up.
        push: is called with what Redis says without being asked.
        lost: is called once, when the connection has ended.

    Attributes:
        is_open: whether commands can be sent.
        identity: the connection's number and address, as Redis sees them.
    """

    def __init__(
        self, connection: AbstractConnection, timeout: float, push: Push | None, lost: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # redis-py has no public way to its stream; these two have been there in each of its releases with asyncio.
        writer = cast("asyncio.StreamWriter", connection._writer)
        connection._reader = connection._writer = None
        # It would close its transport when it is collected.
        self._writer: asyncio.StreamWriter | None = writer
        self._transport: asyncio.WriteTransport | None = writer.transport
        cast("asyncio.Transport", self._transport).set_protocol(self)
        self._timeout = timeout
        self._push = push
        self._lost = lost
        self._process = os.getpid()
        self._reader = hiredis.Reader(replyError=ReplyError, notEnoughData=_NOTHING)
        self._slots: deque[_Slot] = deque()
        self._out: list[bytes] = []
        self._room: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._unsent = 0
        self.waiting_bytes = 0
        self.refusal: ReplyError | None = None
        self.is_open = True
        self.identity: tuple[str, str] | None = None

    @property
    def waiting(self) -> int:
        """How many commands wait for an answer."""
        return len(self._slots)

    @property
    def heard_at(self) -> float:
        """When Redis last said something, by the loop's clock."""
        return self._heard_at

    def tell(self, *command: str | bytes) -> None:
        """Send a command; its answer does not matter, but a refusal is kept in `refusal`."""
        self._append(command, None)

    def ask(self, *command: str | bytes) -> asyncio.Future[Any]:
        """Send a command; return what gives its answer.

        Raises (from the future):
            ReplyError: Redis refuses.
            Away: the connection ended before.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._append(command, answer)
        return answer

    def confirm(self, commands: Iterable[tuple[str | bytes, ...]]) -> asyncio.Future[list[ReplyError]]:
        """Send commands that subscribe or unsubscribe; return what gives the errors that came of them."""
        packed = b"".join(map(_pack, commands))
        done: asyncio.Future[list[ReplyError]] = self._loop.create_future()
        self._write(packed)
        self._append(("PING",), Confirmation(done))
        return done

    async def room(self) -> None:
        """Wait until some answers have come."""
        if self._room is None:
            self._room = self._loop.create_future()
        await asyncio.shield(self._room)

    async def drain(self, seconds: float) -> None:
        """Wait until all commands are answered, but not for long."""
        end = self._loop.time() + seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while self.is_open and self._slots:
                    await self.room()

    def close(self) -> None:
        """End the connection, without a farewell. Also when its loop is closed, or another process's."""
        if not self.is_open and self._writer is None:
            return
        self.is_open = False
        if self._process != os.getpid():
            self._leave_to_parent()
        elif self._loop.is_closed():
            # There is nobody to close it properly: its destructor does.
            self._transport = self._writer = None
        else:
            transport = self._transport
            self._end()
            if transport is not None:
                transport.abort()

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Read what came, and give each thing to whom it is for."""
        self._heard_at = self._loop.time()
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                if type(reply) is hiredis.PushNotification:
                    if self._push is not None:
                        self._push(reply)
                else:
                    self._answer(reply)
        except hiredis.ProtocolError:
            self.close()
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._writer = self._transport = None
        self._end()

    def _append(self, command: tuple[str | bytes, ...], target: _Target) -> None:
        if not self.is_open:
            raise Away("the connection to Redis has ended")
        packed = _pack(command)
        self._write(packed)
        self._slots.append((len(packed), self._loop.time(), target))
        self.waiting_bytes += len(packed)
        if self._watch is None:
            self._unsent = 0
            self._watch = self._loop.call_later(self._timeout, self._look)

    def _write(self, packed: bytes) -> None:
        if not self._slots and not self._out and self._transport is not None:
            # Nothing is under way that it could be sent together with.
            self._transport.write(packed)
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self.is_open and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def _answer(self, reply: Any) -> None:
        if not self._slots:
            self.close()
            return
        size, _, target = self._slots[0]
        if isinstance(target, Confirmation):
            if isinstance(reply, ReplyError):
                # Of one of the commands before; only these have no answer when all is well.
                target.errors.append(reply)
                return
            if not target.done.done():
                target.done.set_result(target.errors)
        elif target is None:
            if isinstance(reply, ReplyError):
                self.refusal = reply
        elif not target.done():
            if isinstance(reply, ReplyError):
                target.set_exception(reply)
            else:
                target.set_result(reply)
        self._slots.popleft()
        self.waiting_bytes -= size

    def _look(self) -> None:
        """Give up when nothing moved for too long while an answer was due."""
        self._watch = None
        if not self._slots or self._transport is None:
            return
        now = self._loop.time()
        unsent, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        since = max(self._heard_at, self._slots[0][1]) if self._unsent >= unsent else now
        if now - since >= self._timeout:
            self.close()
        else:
            self._watch = self._loop.call_at(since + self._timeout, self._look)

    def _end(self) -> None:
        self.is_open = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        slots, self._slots = self._slots, deque()
        self.waiting_bytes = 0
        for _, _, target in slots:
            future = target.done if isinstance(target, Confirmation) else target
            if future is not None and not future.done():
                future.set_exception(Away("the connection to Redis has ended"))
                future.exception()  # whoever waits gets it; if nobody does, that is no fault
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        lost, self._lost = self._lost, _nothing
        self._push = None
        lost()

    def _leave_to_parent(self) -> None:
        """Let go of a socket that was made before this process was forked, without touching the parent's event loop."""
        raw = None if self._transport is None else self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), raw.fileno())
        _kept_from_parents.append(self)


_kept_from_parents: Final[list[Link]] = []  # whose destructors would change what the parent's loop waits for


def _nothing() -> None: ...


def _pack(command: tuple[str | bytes, ...]) -> bytes:
    # The stub says: a tuple of one.
    packed: bytes = hiredis.pack_command(cast("tuple[bytes]", command))
    return packed


async def open_link(
    connection: AbstractConnection,
    *,
    connect_timeout: float,
    timeout: float,
    push: Push | None,
    lost: Callable[[], None],
) -> Link:
    """Connect and log in.

    Raises:
        Exception: that fails, of redis-py's kinds; or TimeoutError.
    """
    try:
        async with asyncio.timeout(connect_timeout):
            await connection.connect()  # type: ignore[no-untyped-call]
            link = Link(connection, timeout, push, lost)
    except BaseException:
        with contextlib.suppress(Exception):
            await connection.disconnect(nowait=True)
        raise
    try:
        async with asyncio.timeout(connect_timeout):
            # A user who may not do that can do without.
            answers = await asyncio.gather(
                link.ask("CLIENT", "SETNAME", "wsproto"), link.ask("CLIENT", "INFO"), return_exceptions=True
            )
            for each in answers:
                if isinstance(each, BaseException) and not isinstance(each, ReplyError):
                    raise each
            link.identity = None if isinstance(answers[1], ReplyError) else _identity(answers[1])
    except BaseException:
        link.close()
        raise
    return link


def _identity(info: Any) -> tuple[str, str] | None:
    text = info.decode() if isinstance(info, bytes) else str(info)
    members = {name: value for name, _, value in (each.partition("=") for each in text.split())}
    return (members["id"], members["addr"]) if {"id", "addr"} <= members.keys() else None


def socket_options(timeout: float) -> dict[int, int]:
    """Return the TCP options with which the kernel finds out that the other side has vanished."""
    options: dict[str, int] = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    if sys.platform == "linux":
        options["TCP_USER_TIMEOUT"] = int(1000 * (timeout + 5))
    return {getattr(socket, name): value for name, value in options.items() if hasattr(socket, name)}


def give_up(task: asyncio.Task[Any]) -> None:
    """Have a task say nothing when it is collected, whose loop has been closed: it will never go on."""
    task._log_destroy_pending = False  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
