"""A connection over a real socket, for what is written to from any thread: frames are lines of text."""

import json
import select
import socket
from typing import Any

from tests.core.peer import PATIENCE, envelope
from wsproto_core import ConnectionInfo
from wsproto_core.ids import new_id
from wsproto_core.threaded_outbox import Closing, Frame

LARGE = "x" * 4_000_000  # more than any system takes without waiting


class Wire:
    """The server's end: the transport, and the client's end of the same socket."""

    def __init__(self, info: ConnectionInfo | None = None) -> None:
        self.info = info or ConnectionInfo(path="/ws/")
        self.sock, other = socket.socketpair()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self.client = Client(other)
        self.close_code = 1006
        self.close_reason = ""
        self.dropped = 0
        self.waiting = False  # whether somebody waits to write
        self.control: list[str] = []
        self.error: Exception | None = None
        self._rest = b""
        self._read = b""

    @property
    def due(self) -> bool:
        return bool(self.control)

    def receive(self, *, wait: bool) -> list[str | bytes] | None:
        try:
            data = self.sock.recv(65_536, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._read = (self._read + data).split(b"\n")
        frames: list[str | bytes] = []
        for line in lines:
            if line.startswith(b"bye "):
                self.close_code = int(line[4:])
                return None
            if line == b"ping":
                self.control.append("pong")
            else:
                frames.append(line.decode())
        return frames

    def write(self, frame: Frame | None) -> bool:
        if self.error is not None:
            raise self.error
        text = "".join(f"{each}\n" for each in self.control)
        self.control.clear()
        if isinstance(frame, Closing):
            text += f"close {frame.code} {frame.reason}\n"
        elif frame is not None:
            text += f"{frame!s}\n"
        self._rest = text.encode()
        return self.write_more()

    def write_more(self) -> bool:
        if self.error is not None:
            raise self.error
        while self._rest:
            try:
                self._rest = self._rest[self.sock.send(self._rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                return False
        return True

    def wait_writable(self, timeout: float | None) -> bool:
        # Of a pair of sockets `select` says nothing once one end is shut down; `poll` always tells the end.
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        self.waiting = True
        try:
            return bool(poll.poll(None if timeout is None else timeout * 1000))
        finally:
            self.waiting = False

    def fileno(self) -> int:
        return self.sock.fileno()

    def drop(self) -> None:
        self.dropped += 1
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        self.sock.close()
        self.client.close()


class Client:
    """The client's end: blocks, and fails when nothing comes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        self._lines = sock.makefile("r", encoding="utf-8", newline="\n")

    def line(self) -> str:
        return self._lines.readline().removesuffix("\n")

    def read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.line())
        return message

    def write(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def send(self, action: str, payload: object = None) -> str:
        req_id = new_id()
        self.write(envelope(action, {} if payload is None else payload, req_id=req_id))
        return req_id

    def ask(self, action: str, payload: object = None) -> dict[str, Any]:
        self.send(action, payload)
        return self.read()

    def leave(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._lines.close()
        self.sock.close()
