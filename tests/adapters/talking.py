"""A plain WebSocket client that speaks the protocol: what any client of any language would do, and nothing of ours."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

PATIENCE = 30.0  # seconds until what does not come fails the test; long, for machines that are busy

T = TypeVar("T")


def message(action: str, payload: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return an action envelope with fresh ids."""
    return {"msg_id": str(uuid4()), "req_id": str(uuid4()), "action": action, "payload": payload or {}, **members}


class Client:
    """One connection."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def send(self, action: str, payload: dict[str, Any] | None = None) -> str:
        """Send a request; return its ``req_id``."""
        request = message(action, payload)
        await self.websocket.send(json.dumps(request))
        req_id: str = request["req_id"]
        return req_id

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE):
            received: dict[str, Any] = json.loads(await self.websocket.recv())
        return received

    async def ask(self, action: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; the next message is its answer."""
        req_id = await self.send(action, payload)
        answer = await self.receive()
        assert answer["req_id"] == req_id, answer
        return answer

    async def is_served(self) -> bool:
        """Whether `health` is answered, and before anything else."""
        return bool((await self.ask("health"))["event"] == "health")

    async def watch(self) -> str:
        """Be told in notes what happens to other connections; return the own id."""
        await self.ask("chat.enter", {"name": "notes"})
        return await self.connection_id()

    async def connection_id(self) -> str:
        me: str = (await self.ask("whoami"))["payload"]["connection_id"]
        return me

    async def noted(self, what: str, connection_id: str) -> dict[str, Any]:
        """Wait for a note; other notes are passed over."""
        while True:
            received = await self.receive()
            assert received["event"] == "noted", received
            payload: dict[str, Any] = received["payload"]
            if (payload["what"], payload["connection_id"]) == (what, connection_id):
                return payload

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes; return the code and the reason. Nothing else may come before."""
        code, reason, unread = await self.rest()
        assert unread == []
        return code, reason

    async def rest(self) -> tuple[int, str, list[dict[str, Any]]]:
        """Wait until the server closes; return the code, the reason, and what came before."""
        unread = []
        try:
            while True:
                unread.append(await self.receive())
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            return code, closed.rcvd.reason if closed.rcvd is not None else "", unread

    def write(self, frames: Iterable[Frame]) -> None:
        """Write frames in one go, past the library."""
        self.write_bytes(b"".join(frame.serialize(mask=True) for frame in frames))

    def write_bytes(self, data: bytes) -> None:
        self.websocket.transport.write(data)

    def write_messages(self, messages: Iterable[dict[str, Any]]) -> None:
        """Write messages in one go."""
        self.write(text_frame(json.dumps(each)) for each in messages)

    def stop_reading(self) -> None:
        """Leave in the socket whatever comes."""
        self.websocket.transport.pause_reading()

    def resume_reading(self) -> None:
        self.websocket.transport.resume_reading()

    def reset(self) -> None:
        """End the connection with a RST."""
        # A lingering time of zero makes the kernel drop the connection instead of closing it.
        raw: socket.socket = self.websocket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.websocket.transport.abort()


def text_frame(text: str | bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, text if isinstance(text, bytes) else text.encode(), fin=fin)


async def eventually(check: Callable[[], T]) -> T:
    """Return the first result that is true."""
    async with asyncio.timeout(PATIENCE):
        while not (result := await asyncio.to_thread(check)):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.02)
    return result
