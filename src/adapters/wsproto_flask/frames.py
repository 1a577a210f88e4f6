"""WebSocket frames on a stream: what simple-websocket does, with bounds, and safe to write from any thread.

Parsing is left to the wsproto library that simple-websocket has made the handshake with. Messages are counted in
bytes as they come, over fragments and after inflation. Of pings only the latest are answered (RFC 6455 section
5.5.3). Frames that are not compressed are written without the library, which is slow at it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final, Protocol

from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from wsproto_core.closing import CloseCode, close_reason
from wsproto_core.outbox import frame_size
from wsproto_core.threaded_outbox import Closing, Frame
from wsproto_core.transport import ConnectionInfo
from wsproto_flask.streams import Stream

__all__ = ["FrameTransport"]

_READ: Final = 65_536
# What is compressed may grow a thousandfold when it is inflated, so it is inflated in small portions.
_INFLATE: Final = 4_096
_PONGS: Final = 8
_LINGER: Final = 1.0  # seconds
_PING: Final = b"\x89\x00"


class Early(Protocol):
    """Gives the messages that others have read."""

    def __call__(self, *, wait: bool) -> list[str | bytes] | None:
        """Return nothing once there will be none any more; None when there are none yet."""
        ...


class FrameTransport:
    """One connection after its handshake.

    Args:
        info: what it told about itself.
        stream: its bytes.
        connection: of the wsproto library, after the handshake.
        compressed: whether compression may have been negotiated.
        max_bytes: of one message; what is longer is handed on as soon as that is known, without its end.
        early: returns messages that others have read, see `early_messages`; asked first, until there are none.

    Attributes:
        close_code, close_reason: how the connection ended, once `receive` has said that it did.
        alive: set whenever something comes.
        pings: whether somebody asks with pings; see `SupportsPings`.
    """

    def __init__(
        self,
        info: ConnectionInfo,
        stream: Stream,
        connection: Any,
        *,
        compressed: bool,
        max_bytes: int | None,
        early: Early,
    ) -> None:
        self.info = info
        self.close_code = int(CloseCode.ABNORMAL)
        self.close_reason = ""
        self.alive = True
        self.pings = False
        self._stream = stream
        self._connection = connection
        self._compressed = compressed
        self._max_bytes = max_bytes
        self._early: Early | None = early
        self._parts: list[str | bytes] = []
        self._size = 0
        self._too_long = False
        self._ended = False
        self._violated = False
        self._due: deque[bytes] = deque()
        self._rest: memoryview | None = None
        self.fileno = stream.fileno
        self.wait_writable = stream.wait_writable
        self.drop = stream.drop

    @property
    def due(self) -> bool:
        """Whether the answer to a ping or a close frame is to be written."""
        return bool(self._due)

    def receive(self, *, wait: bool) -> Sequence[str | bytes] | None:
        """Return the messages that have come; see `ThreadedTransport`."""
        if self._early is not None:
            early = self._early(wait=wait)
            if early is None:
                return ()
            # Something came, if only an answer to a ping, or nothing will, which the next read finds.
            self.alive = True
            if not early:
                # Others read no more; of their last portion the parser has not been asked yet.
                self._early = None
                early = self._feed(b"")
            if early or self._due:
                return early
        while not self._ended:
            data = self._stream.read(_READ, wait=wait)
            if data is None:
                return ()
            if not data:
                self._ended = True
                break
            self.alive = True
            messages = self._feed(data)
            if messages or self._due:
                return messages
        return None

    def write(self, frame: Frame | None) -> bool:
        """Write a frame; see `Writable`."""
        data = b"" if frame is None else self._serialise(frame)
        if self._due:
            due = []
            while self._due:
                due.append(self._due.popleft())
            data = b"".join((*due, data))
        return not data or self._push(data)

    def write_more(self) -> bool:
        """Go on with what was left; see `Writable`."""
        rest = self._rest
        while rest:
            sent = self._stream.write(rest)
            if not sent:
                self._rest = rest
                return False
            rest = rest[sent:]
        self._rest = None
        return True

    def ping(self) -> None:
        """Have a ping written next."""
        self._due.append(_PING)

    def has_unread(self) -> bool:
        """Say whether something has come that was not read yet."""
        return self._stream.wait_readable(0)

    def linger(self) -> None:
        """Read on for a moment where the end came from here: what is unread at the close would undo our last frame."""
        if self._violated:
            self._stream.finish()
            deadline = monotonic() + _LINGER
            while (left := deadline - monotonic()) > 0 and self._stream.wait_readable(left):
                if not self._stream.read(_READ, wait=False):
                    return

    def _feed(self, data: bytes) -> list[str | bytes]:
        messages: list[str | bytes] = []
        if not self._compressed or len(data) <= _INFLATE:
            self._parse(data, messages)
        else:
            for start in range(0, len(data), _INFLATE):
                self._parse(data[start : start + _INFLATE], messages)
        return messages

    def _push(self, data: bytes) -> bool:
        sent = self._stream.write(data)
        if sent == len(data):
            return True
        self._rest = memoryview(data)[sent:]
        return self.write_more()

    def _serialise(self, frame: Frame) -> bytes:
        if isinstance(frame, Closing):
            return self._closing(frame.code, frame.reason)
        if self._compressed:
            data: Any = frame
            message: Message[Any] = Message(data=data)
            return bytes(self._connection.send(message))
        if isinstance(frame, str):
            return _head(0x81, payload := frame.encode()) + payload
        return _head(0x82, frame) + frame

    def _closing(self, code: int, reason: str) -> bytes:
        try:
            return bytes(self._connection.send(CloseConnection(code, close_reason(reason))))
        except LocalProtocolError:
            # The client was first.
            return b""

    def _parse(self, data: bytes, messages: list[str | bytes]) -> None:
        connection = self._connection
        try:
            connection.receive_data(data)
        except LocalProtocolError:
            self._ended = True
            return
        for event in connection.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                part = event.data if isinstance(event.data, str) else bytes(event.data)
                self._collect(part, event.message_finished, messages)
            elif isinstance(event, Ping):
                if len(self._due) >= _PONGS:
                    self._due.popleft()
                self._due.append(bytes(connection.send(event.response())))
            elif isinstance(event, CloseConnection):
                self._end(event)
                return

    def _collect(self, data: str | bytes, finished: bool, messages: list[str | bytes]) -> None:
        if finished and not self._parts and not self._too_long:
            # The usual message comes whole. How long it may be is checked by whoever takes it.
            messages.append(data)
            return
        if not self._too_long:
            self._parts.append(data)
            self._size += frame_size(data)
            self._too_long = self._max_bytes is not None and self._size > self._max_bytes
            if finished or self._too_long:
                # All parts of a message are of one kind.
                joint: Any = "" if isinstance(data, str) else b""
                messages.append(joint.join(self._parts))
                self._parts = []
        if finished:
            self._size = 0
            self._too_long = False

    def _end(self, event: CloseConnection) -> None:
        self._ended = True
        self.close_code = int(event.code)
        self.close_reason = event.reason or ""
        state = self._connection.state
        if state is ConnectionState.REMOTE_CLOSING:
            self._due.append(bytes(self._connection.send(event.response())))
        elif state is not ConnectionState.CLOSED:
            self._violated = True
            # No close frame, but a violation of the protocol, which the library describes as one.
            self._due.append(self._closing(self.close_code, "This is not WebSocket (RFC 6455)."))


def _head(first: int, payload: bytes) -> bytes:
    """Return the header of a frame that is whole and not masked (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)
