"""A WebSocket client that costs next to nothing, so that a load generator made of it is not what is measured.

Its frames are masked before the clock starts; of an answer it reads the length, and whatever else only when asked.
"""

import base64
import os
import socket
import struct

_MASK = b"\x11\x22\x33\x44"


def masked(text: str) -> bytes:
    """A whole text frame as clients send it (RFC 6455 section 5.2), up to 65,535 bytes."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
    return b"\x81" + length + _MASK + bytes(byte ^ _MASK[place & 3] for place, byte in enumerate(data))


class Client:
    """One connection. `read` and `send` block; wait for the socket first where that matters."""

    def __init__(self, port: int, path: str = "/ws/") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send = self.socket.send
        self._handshake(path)
        self._buffer = b""

    def _handshake(self, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):  # the server speaks first only when it was asked something
            if not (byte := self.socket.recv(1)):
                break
            answer += byte
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"the handshake was answered with {answer[:200]!r}")

    def read(self) -> bytes | None:
        """What has arrived: the payload of one whole text frame, or None if it is not whole yet."""
        data = self._buffer + self.socket.recv(65_536) if self._buffer else self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        start, length = 2, data[1] if len(data) > 1 else 126
        if length == 126:
            start, length = 4, int.from_bytes(data[2:4], "big") if len(data) >= 4 else 65_536
        if len(data) < start + length:
            self._buffer = data
            return None
        if data[0] != 0x81 or len(data) > start + length:
            raise ConnectionError(f"the server sent something else than one text frame: {data[:200]!r}")
        self._buffer = b""
        return data[start:]

    def close(self) -> None:
        self.socket.close()
