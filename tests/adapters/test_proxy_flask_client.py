"""The gateway's side of a client in Flask, on a socket whose other end does what clients do not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from tests.adapters.talking import PATIENCE
from wsproto_core import ConnectionInfo
from wsproto_flask.frames import FrameTransport
from wsproto_flask.lending import LentSocket
from wsproto_flask.streams import Stream, stream_of
from wsproto_proxy import over_flask
from wsproto_proxy.over_flask import FlaskClient

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = Frame(Opcode.PING, b"x").serialize(mask=True)


def client_on(stream: Stream, lent: LentSocket) -> FlaskClient:
    connection = WSConnection(ConnectionType.SERVER)
    connection.receive_data(REQUEST)
    list(connection.events())
    connection.send(AcceptConnection())
    lent.has_left = True
    transport = FrameTransport(
        ConnectionInfo(path="/"), stream, connection, compressed=False, max_bytes=None, early=lambda *, wait: []
    )
    return FlaskClient(transport, lent, None)


@pytest.fixture
async def full() -> AsyncIterator[tuple[FlaskClient, socket.socket]]:
    """A client that has not read for so long that nothing more can be written to it, and its own end."""
    here, there = socket.socketpair()
    with here, there:
        there.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                there.send(b"\x89\x00" * 1000)
        yield client_on(stream_of(there), LentSocket(there, held=False)), here


async def stuck(client: FlaskClient) -> "asyncio.Task[str | bytes | None]":
    """Have a ping answered that cannot be."""
    reading = asyncio.create_task(client.receive())
    async with asyncio.timeout(PATIENCE):
        while not client._turn.locked():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    return reading


async def test_who_pings_and_does_not_read_is_let_go(
    full: tuple[FlaskClient, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_flask, "_CLOSE_HANDSHAKE", 0.1)
    client, here = full
    here.send(PING)
    reading = await stuck(client)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(BrokenPipeError):
            await client.close(1001, "The gateway restarts.")
        assert await reading is None
    assert client.end == (1006, "")


async def test_who_is_gone_before_its_ping_is_answered_has_just_gone(full: tuple[FlaskClient, socket.socket]) -> None:
    client, here = full
    here.send(PING)
    reading = await stuck(client)
    here.close()
    async with asyncio.timeout(PATIENCE):
        assert await reading is None
    assert client.end == (1006, "")


class Pinging:
    """The bytes of a client that pings as fast as it is read."""

    def __init__(self, pings: int) -> None:
        self._left = pings

    def read(self, size: int, *, wait: bool) -> bytes:
        self._left -= 1
        return PING if self._left >= 0 else b""

    def write(self, data: bytes) -> int:
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: 0


async def test_others_have_their_turn_while_a_client_pings() -> None:
    here, there = socket.socketpair()
    with here, there:
        stream: Any = Pinging(2_000)
        reading = asyncio.create_task(client_on(stream, LentSocket(there, held=False)).receive())
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert await reading is None
        assert turns > 20
