"""The beginning of a connection: TCP, what the server says of itself, TLS, credentials. nats-py does it.

What follows is `wsproto_nats.link`: nats-py keeps what is published while the server is away, and sends it later; it
confirms a subscription with a PING that may overtake it; and it has a task and a queue for each subscription.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import ParseResult

from nats.aio.client import Client
from nats.aio.transport import Transport

from wsproto_nats.addresses import Address, Login

__all__ = ["Opened", "Stream", "open_connection"]

_CONNECT_TIMEOUT: Final = 1.5  # seconds; a network that is back is tried again soon
_HANDSHAKE_TIMEOUT: Final = 5  # seconds for each step
_UNANSWERED: Final = 10_000  # milliseconds until a connection to a machine that is gone is given up
_BUFFER: Final = 1 << 16  # bytes


class Stream(Transport):
    """A connection, as nats-py wants it: opened already, perhaps encrypted later."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, insist_on_tls: bool) -> None:
        self.reader = reader
        self.writer = writer
        self.is_encrypted = False
        self._plain = writer  # which closes the connection when it is collected
        self._insist_on_tls = insist_on_tls

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Do nothing: it is."""

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Encrypt it."""
        name = uri if isinstance(uri, str) else uri.hostname
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_BUFFER)
        protocol = asyncio.StreamReaderProtocol(reader)
        async with asyncio.timeout(connect_timeout):
            transport = await loop.start_tls(self.writer.transport, protocol, ssl_context, server_hostname=name)
        if transport is None:
            raise ConnectionError("the server went away while the connection was encrypted")
        protocol.connection_made(transport)
        self.reader = reader
        self.writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self.is_encrypted = True

    def write(self, payload: bytes) -> None:
        """Write something.

        Raises:
            ConnectionError: the credentials are about to be sent, and TLS was asked for.
        """
        if self._insist_on_tls and not self.is_encrypted:
            raise ConnectionError("the server does not speak TLS, and tls:// insists on it")
        self.writer.write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        """Write several things."""
        self.write(b"".join(payload))

    async def read(self, buffer_size: int) -> bytes:
        """Read what there is."""
        return await self.reader.read(buffer_size)

    async def readline(self) -> bytes:
        """Read a line."""
        return await self.reader.readline()

    async def drain(self) -> None:
        """Wait until there is room."""
        await self.writer.drain()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self.writer.wait_closed()

    def close(self) -> None:
        """Close it, once everything is written."""
        self.writer.close()

    def at_eof(self) -> bool:
        """Say whether the server has ended it."""
        return self.reader.at_eof()

    # nats-py declares that it returns None, and asks it as a condition.
    def __bool__(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Say that it is there."""
        return True

    def abort(self) -> None:
        """Close it now; what is not written yet is lost."""
        self.writer.transport.abort()

    def abandon(self) -> None:
        """Let it go without its loop, which has ended or belongs to the parent of this process."""
        transport: Any = self.writer.transport
        # A transport can be closed only by its loop, and warns when it is collected unclosed: so its socket is closed
        # here, and it is marked. Those of other loops than the standard library's have other attributes, or none.
        with suppress(AttributeError):
            transport.get_extra_info("socket")._sock.close()
        with suppress(AttributeError):
            transport, transport._closed = transport._ssl_protocol._transport, True
        with suppress(AttributeError):
            transport._sock, transport._closing = None, True


class _Greeter(Client):
    """nats-py up to the end of the handshake. What it would do then, `Link` does."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._transport = stream

    async def _read_loop(self) -> None: ...

    async def _flusher(self) -> None: ...

    async def _ping_interval(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that the server has accepted.

    Attributes:
        stream: to read and write.
        max_payload: the largest message in bytes that the server takes.
        others: more servers of its cluster.
    """

    stream: Stream
    max_payload: int
    others: list[Address]


async def open_connection(address: Address, login: Login, name: str) -> Opened:
    """Connect to a server, and log in.

    Args:
        address: of the server.
        login: what is the same for all servers.
        name: that the server knows the connection by.

    Raises:
        Exception: what sockets, TLS and nats-py raise.
    """
    async with asyncio.timeout(_CONNECT_TIMEOUT):
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=_BUFFER)
    stream = Stream(reader, writer, insist_on_tls=address.encrypted or login.tls is not None)
    try:
        _keep_alive(writer)
        greeter = _Greeter(stream)
        await greeter.connect(
            servers=[address.url],
            name=name,
            error_cb=_say_nothing,
            allow_reconnect=False,
            connect_timeout=_HANDSHAKE_TIMEOUT,
            no_echo=True,
            tls=login.tls,
            tls_hostname=address.host,
            user=address.user if address.password is not None else None,
            password=address.password,
            token=address.user if address.password is None else None,
            user_credentials=login.credentials,
        )
    except BaseException:
        stream.abort()
        raise
    others = [
        Address(each.hostname, each.port or address.port, address.encrypted, address.user, address.password)
        for each in greeter.discovered_servers
        if each.hostname is not None
    ]
    return Opened(stream, greeter.max_payload, others)


async def _say_nothing(error: Exception) -> None:
    """It is raised as well."""


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED)
