"""A WebSocket client of the standard library alone, close to the wire: frames as they are, rude if need be.

For testing servers: it can fragment, ping in between, stop reading, and vanish. It is no client for applications.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

__all__ = ["Handshake", "Opcode", "WireClient", "WireFrame"]

_PATIENCE: Final = 10.0  # seconds until what does not come fails


class Opcode(IntEnum):
    """What a frame is (RFC 6455 section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Handshake:
    """The answer to the opening handshake.

    Attributes:
        status: of the HTTP response; 101 when the connection is open.
        headers: by lower-case name.
        body: of a refusal.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def subprotocol(self) -> str | None:
        """What the server selected."""
        return self.headers.get("sec-websocket-protocol")


@dataclass(frozen=True, slots=True)
class WireFrame:
    """A whole message or a control frame, as it came."""

    opcode: Opcode
    data: bytes

    @property
    def text(self) -> str:
        """The data as text."""
        return self.data.decode()

    @property
    def close_code(self) -> int:
        """The code of a close frame; 1005 when it has none."""
        return int.from_bytes(self.data[:2], "big") if len(self.data) >= 2 else 1005

    @property
    def close_reason(self) -> str:
        """The reason of a close frame."""
        return self.data[2:].decode()


class WireClient:
    """One connection. Use it as an asynchronous context manager.

    Args:
        url: ``ws://host:port/path``.
        subprotocols: offered, in this order.
        headers: more fields of the handshake.
        receive_buffer: bytes that the system buffers for us; small makes a stalled reader felt early.
    """

    def __init__(
        self,
        url: str,
        *,
        subprotocols: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self.handshake: Handshake | None = None
        self._url = urlsplit(url)
        self._subprotocols = tuple(subprotocols)
        self._headers = dict(headers or {})
        self._receive_buffer = receive_buffer
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(_PATIENCE):
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            if self._receive_buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(
                connection, (self._url.hostname or "127.0.0.1", self._url.port or 80)
            )
            self._reader, self._writer = await asyncio.open_connection(sock=connection, limit=1 << 16)
            self._writer.write(self._request())
            self.handshake = await self._read_handshake(self._reader)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            # It is over only once the event loop has got to it; servers wait for that when they are told to stop.
            with suppress(OSError):
                await self._writer.wait_closed()

    @property
    def is_open(self) -> bool:
        """Whether the server accepted the connection."""
        return self.handshake is not None and self.handshake.status == 101

    async def send_text(self, text: str | bytes) -> None:
        """Send a text message in one frame; bytes are sent as they are, valid or not."""
        await self.send_frame(Opcode.TEXT, text.encode() if isinstance(text, str) else text)

    async def send_binary(self, data: bytes) -> None:
        """Send a binary message in one frame."""
        await self.send_frame(Opcode.BINARY, data)

    async def send_frame(self, opcode: Opcode, data: bytes, *, final: bool = True) -> None:
        """Send one frame, masked as a client has to (RFC 6455 section 5.3)."""
        self.write(frame_bytes(opcode, data, final=final))
        await self._out().drain()

    async def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame."""
        await self.send_frame(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._out().write(data)

    async def receive(self) -> WireFrame:
        """Return the next whole message or control frame.

        Raises:
            TimeoutError: nothing came within ten seconds.
            EOFError: the connection ended.
        """
        async with asyncio.timeout(_PATIENCE):
            return await self._receive()

    async def receive_text(self) -> str:
        """Return the next text message; pings are answered and pongs passed over.

        Raises:
            AssertionError: something else came.
        """
        frame = await self.receive_message()
        assert frame.opcode is Opcode.TEXT, frame
        return frame.text

    async def receive_message(self) -> WireFrame:
        """Return the next message or close frame; pings are answered and pongs passed over."""
        while True:
            frame = await self.receive()
            if frame.opcode is Opcode.PING:
                await self.send_frame(Opcode.PONG, frame.data)
            elif frame.opcode is not Opcode.PONG:
                return frame

    async def receive_close(self) -> WireFrame:
        """Return the close frame, answered; messages before it are passed over."""
        while (frame := await self.receive_message()).opcode is not Opcode.CLOSE:
            pass
        self.write(frame_bytes(Opcode.CLOSE, frame.data[:2]))
        return frame

    def reset(self) -> None:
        """Vanish with a TCP reset: no close frame, no FIN."""
        writer = self._out()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def _out(self) -> asyncio.StreamWriter:
        if self._writer is None:
            raise RuntimeError("Connect first: async with WireClient(url) as client.")
        return self._writer

    def _request(self) -> bytes:
        url = self._url
        fields = {
            "Host": url.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        if self._subprotocols:
            fields["Sec-WebSocket-Protocol"] = ", ".join(self._subprotocols)
        fields.update(self._headers)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode()

    async def _read_handshake(self, reader: asyncio.StreamReader) -> Handshake:
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        status = int(status_line.split(" ")[1])
        body = b""
        if status != 101:
            length = headers.get("content-length")
            body = await (reader.readexactly(int(length)) if length is not None else reader.read())
        return Handshake(status, headers, body)

    async def _receive(self) -> WireFrame:
        opcode, data = Opcode.CONTINUATION, b""
        while True:
            frame, final, payload = await self._read_frame()
            if frame >= Opcode.CLOSE:
                return WireFrame(frame, payload)
            if frame is not Opcode.CONTINUATION:
                opcode = frame
            data += payload
            if final:
                return WireFrame(opcode, data)

    async def _read_frame(self) -> tuple[Opcode, bool, bytes]:
        if self._reader is None:
            raise RuntimeError("Connect first: async with WireClient(url) as client.")
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await self._reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self._reader.readexactly(8), "big")
        return Opcode(first & 0x0F), bool(first & 0x80), await self._reader.readexactly(length)


def frame_bytes(opcode: Opcode, data: bytes, *, final: bool = True) -> bytes:
    """Return a client's frame: masked (RFC 6455 section 5.2)."""
    length = len(data)
    head = bytes([(0x80 if final else 0) | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 1 << 16:
        head += bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + length.to_bytes(8, "big")
    mask = os.urandom(4)
    repeated = mask * (length // 4 + 1)
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(repeated[:length], "big")).to_bytes(length, "big")
    return head + mask + masked
