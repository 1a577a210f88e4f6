"""The socket that simple-websocket is lent, until it is known whose the connection is.

flask-sock answers the handshake before it calls the route, and starts a thread that reads. So the socket that it finds
in the WSGI environment is this one. It keeps the answer back until the route says what is to become of the connection:
`handle_websocket` may still refuse it with an HTTP response, or it takes the socket, and the thread ends. A route that
speaks with the connection itself gets the socket as it is, a little later.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from flask import has_request_context, request

__all__ = ["LentSocket", "WakingEvent", "early_messages", "lend", "lent_in", "lent_of"]

_SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket")  # where servers put them
_LENT: Final = "wsproto_flask.lent"
# A route that neither speaks with the connection nor claims it, for so many seconds, has it open all the same.
_PATIENCE: Final = 5.0


class _State(Enum):
    HELD = auto()  # nobody has decided, and the client waits for an answer
    OPEN = auto()  # simple-websocket reads and writes
    TAKEN = auto()  # we do
    REFUSED = auto()


class LentSocket:
    """What simple-websocket takes for a socket.

    Args:
        sock: the real one.
        held: whether the answer to the handshake is kept back; else it was sent, and the connection is ours.

    Attributes:
        has_left: whether simple-websocket's thread reads no more.
    """

    def __init__(self, sock: socket.socket, *, held: bool) -> None:
        self.sock = sock
        self._state = _State.HELD if held else _State.TAKEN
        self._answer = b""
        self._lock = threading.Lock()
        self._decided = threading.Event()
        self._claimed = False
        self.has_left = False
        self._on_left: list[Callable[[], object]] = []
        if not held:
            self._decided.set()

    @property
    def is_held(self) -> bool:
        """Whether the handshake is not answered yet."""
        return self._state is _State.HELD

    def claim(self) -> None:
        """Announce a decision, however long it takes: from now on only `take` and `refuse` answer the handshake."""
        with self._lock:
            self._claimed = True

    def open(self) -> None:
        """Answer the handshake, if that is not done, and let simple-websocket go on; wait for who has claimed it."""
        self._decide(_State.OPEN, only_if_held=True)
        self._decided.wait()

    def take(self) -> None:
        """Answer the handshake, if that is not done, and have simple-websocket stop reading; see `early_messages`."""
        self._decide(_State.TAKEN)

    def refuse(self) -> bool:
        """Have simple-websocket stop; say whether the handshake is left to others to answer."""
        return self._decide(_State.REFUSED, only_if_held=True)

    def answer_with(self, subprotocol: str | None) -> None:
        """Put another subprotocol into the answer that is kept back, in place of the one that was chosen."""
        with self._lock:
            lines = self._answer.removesuffix(b"\r\n\r\n").split(b"\r\n")
            kept = [line for line in lines if not line.lower().startswith(b"sec-websocket-protocol:")]
            if subprotocol is not None:
                kept.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("ascii"))
            self._answer = b"\r\n".join(kept) + b"\r\n\r\n"

    def call_when_left(self, function: Callable[[], object]) -> None:
        """Call something, from another thread, when simple-websocket's thread reads no more."""
        self._on_left.append(function)

    # What simple-websocket calls

    def send(self, data: bytes) -> int:
        """Write all of it; what is written first is the answer to the handshake, and waits."""
        with self._lock:
            if self._state is _State.HELD and not self._answer:
                self._answer = data
                return len(data)
        self.open()
        if self._state is not _State.OPEN:
            raise BrokenPipeError("the connection is not simple-websocket's any more")
        with self._lock:
            self.sock.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Return what has come, once it is decided that it is simple-websocket's."""
        if not self._decided.wait(_PATIENCE):
            self.open()
        if self._state is not _State.OPEN:
            raise ConnectionAbortedError("the connection is not simple-websocket's any more")
        return self.sock.recv(size)

    def close(self) -> None:
        """Close the real socket, if it is simple-websocket's; it reads no more in any case."""
        if self._state is _State.OPEN:
            self.sock.close()
        self.has_left = True
        for function in self._on_left:
            function()

    def fileno(self) -> int:
        """The descriptor of the real socket, to be waited for."""
        return self.sock.fileno()

    def _decide(self, state: _State, *, only_if_held: bool = False) -> bool:
        with self._lock:
            was = self._state
            if only_if_held and was is not _State.HELD:
                return False
            if state is _State.OPEN and self._claimed:
                return False
            self._state = state
            try:
                if was is _State.HELD and state is not _State.REFUSED:
                    self.sock.sendall(self._answer)
            finally:
                self._decided.set()
        return True


class WakingEvent(threading.Event):
    """The event that simple-websocket's ``receive`` waits on: for a route that receives itself the connection opens."""

    def __init__(self) -> None:
        super().__init__()
        self._lent: LentSocket | None = lent_in(request.environ) if has_request_context() else None

    def wait(self, timeout: float | None = None) -> bool:
        """Open the connection, and wait for something to come."""
        if self._lent is not None:
            self._lent.open()
        return super().wait(timeout)


def lend(environ: dict[str, Any]) -> None:
    """Put a socket to lend in the place of the real one, if the server has put one there."""
    for key in _SOCKETS:
        sock = environ.get(key)
        if isinstance(sock, socket.socket):
            environ[key] = environ[_LENT] = LentSocket(sock, held=True)


def lent_in(environ: Mapping[str, Any]) -> LentSocket | None:
    """Return the socket that was lent for a request."""
    return environ.get(_LENT)


def lent_of(websocket: Any) -> LentSocket:
    """Return the socket that simple-websocket was lent, for the caller to decide about.

    If simple-websocket has the real one, it is lent one from now on.
    """
    lent = websocket.sock
    if not isinstance(lent, LentSocket):
        lent = websocket.sock = LentSocket(lent, held=False)
        # The thread waits in the real one. What it gets is given to the parser, and then it finds that it is over.
        websocket._handle_events = lambda: False
    lent.claim()
    lent.call_when_left(websocket.event.set)
    return lent


def early_messages(websocket: Any, *, wait: bool) -> list[str | bytes] | None:
    """Return what simple-websocket's thread has read: nothing, if it reads no more; None, if it still may.

    Args:
        websocket: whose socket is lent.
        wait: whether to wait until it has read something, or reads no more.
    """
    buffer: list[str | bytes] = websocket.input_buffer
    while not buffer and not websocket.sock.has_left:
        if not wait:
            return None
        websocket.event.wait()
        websocket.event.clear()
    messages = buffer[:]
    del buffer[: len(messages)]
    return messages
