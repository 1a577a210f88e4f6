"""The bytes of one connection: reading that may wait, writing that never does, from any thread.

A socket in Python may be read and written by two threads at once. An encrypted one may not, so its operations take
turns, and none of them waits while it has its turn.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from typing import Any, Final, Protocol

__all__ = ["Stream", "stream_of"]

_DONT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)


class Stream(Protocol):
    """The bytes of one connection."""

    def read(self, size: int, *, wait: bool) -> bytes | None:
        """Return what has come; empty at the end, however it came; None when nothing has come and it may not wait."""
        ...

    def write(self, data: bytes | memoryview) -> int:
        """Write what the system takes without waiting; return how many bytes that was.

        Raises:
            OSError: the connection has ended.
        """
        ...

    def wait_writable(self, timeout: float | None) -> bool:
        """Wait until something can be written, at most so many seconds; say whether it can."""
        ...

    def wait_readable(self, timeout: float) -> bool:
        """Wait until something can be read, at most so many seconds; say whether it can."""
        ...

    def fileno(self) -> int:
        """The descriptor of the socket."""
        ...

    def finish(self) -> None:
        """Say that nothing more will be written."""
        ...

    def drop(self) -> None:
        """End the connection; who waits to read or to write is let go."""
        ...


def stream_of(sock: socket.socket) -> Stream:
    """Return the stream of a socket."""
    if isinstance(sock, ssl.SSLSocket) or not _DONT_WAIT:
        return _TurnsStream(sock)
    return _PlainStream(sock)


class _PlainStream:
    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        self._sock = sock

    def read(self, size: int, *, wait: bool) -> bytes | None:
        try:
            return self._sock.recv(size, 0 if wait else _DONT_WAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data, _DONT_WAIT)
        except BlockingIOError:
            return 0

    def wait_writable(self, timeout: float | None) -> bool:
        return _wait(self._sock.fileno(), write=True, timeout=timeout)

    def wait_readable(self, timeout: float) -> bool:
        return _wait(self._sock.fileno(), write=False, timeout=timeout)

    def fileno(self) -> int:
        return self._sock.fileno()

    def finish(self) -> None:
        _shutdown(self._sock, socket.SHUT_WR)

    def drop(self) -> None:
        _shutdown(self._sock, socket.SHUT_RDWR)


class _TurnsStream(_PlainStream):
    """A stream whose socket does not wait, and whose reader and writer take turns: TLS, and systems without flags."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.settimeout(0)
        self._turn = threading.Lock()

    def read(self, size: int, *, wait: bool) -> bytes | None:
        while True:
            wants_to_write = False
            with self._turn:
                try:
                    return self._sock.recv(size)
                except ssl.SSLWantWriteError:
                    wants_to_write = True
                except (BlockingIOError, ssl.SSLWantReadError):
                    pass
                except OSError:
                    return b""
            if not wait:
                return None
            if not _wait(self._sock.fileno(), write=wants_to_write, timeout=None):
                return b""

    def write(self, data: bytes | memoryview) -> int:
        with self._turn:
            try:
                return self._sock.send(data)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return 0

    def wait_readable(self, timeout: float) -> bool:
        pending = getattr(self._sock, "pending", None)
        return bool(pending is not None and pending()) or super().wait_readable(timeout)


def _wait(descriptor: int, *, write: bool, timeout: float | None) -> bool:
    """Wait until a socket can be used; say whether it can. An error can be read and written, too."""
    if descriptor < 0:
        return False
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))
    sockets = [descriptor]
    found: tuple[list[Any], list[Any], list[Any]]
    found = select.select([] if write else sockets, sockets if write else [], sockets, timeout)
    return any(found)


def _shutdown(sock: socket.socket, how: int) -> None:
    try:
        # Of an encrypted socket as well: what is under it ends, and its own state is left to its reader.
        socket.socket.shutdown(sock, how)
    except OSError:
        return
