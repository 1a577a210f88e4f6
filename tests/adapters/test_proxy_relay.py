"""What passes messages on between a client and a service, with a client, or a server, of the test's own making."""

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection

from tests.adapters.gateways import service
from tests.adapters.talking import PATIENCE
from wsproto_proxy import WebSocketProxy
from wsproto_proxy.relay import Relay

SCOPE: dict[str, Any] = {
    "type": "websocket",
    "path": "/",
    "root_path": "",
    "query_string": b"",
    "scheme": "ws",
    "headers": [],
    "subprotocols": [],
    "client": ("127.0.0.1", 1),
}


class Eager:
    """A client or a service that has many messages at hand, and takes whatever is sent to it at once."""

    def __init__(self, messages: int) -> None:
        self.end = 1000, ""
        self.taken = 0
        self.closed = asyncio.Event()
        self._left = messages
        # Of a service:
        self.recv_messages = self.transport = self
        self.abort = self.closed.set

    async def receive(self) -> str | None:
        if self._left == 0:
            await self.closed.wait()
            return None
        self._left -= 1
        return "x"

    async def get(self) -> str:
        message = await self.receive()
        if message is None:
            raise EOFError
        return message

    async def send(self, frame: str | bytes) -> None:
        self.taken += 1

    async def close(self, code: int, reason: str) -> None:
        self.closed.set()


async def test_others_have_their_turn_while_messages_are_at_hand() -> None:
    for up, down in ((1_000, 0), (0, 1_000)):
        here: Any = Eager(up)
        there: Any = Eager(down)
        relaying = asyncio.create_task(Relay(here, there, WebSocketProxy("ws://localhost").settings).run())
        turns = 0
        while (here.taken, there.taken) != (down, up):
            await asyncio.sleep(0)
            turns += 1
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        assert turns > 20


async def test_the_close_frame_is_waited_for_that_a_server_keeps_back_while_somebody_reads() -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    reads_no_more = asyncio.Event()
    sent: list[dict[str, Any]] = []
    messages = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        try:
            return await asyncio.Future()
        finally:
            reads_no_more.set()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            await reads_no_more.wait()
            for _ in range(50):
                await asyncio.sleep(0)
        sent.append(message)

    async with service(drop) as behind, asyncio.timeout(PATIENCE):
        await WebSocketProxy(behind.url, install_signal_handlers=False)(SCOPE, receive, send)
    assert [(each["type"], each.get("code")) for each in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 1013),
    ]
