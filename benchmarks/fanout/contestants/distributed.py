"""With fastapi-distributed-websocket: past its broker, which is kind to it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from distributed_websocket import Message, WebSocketManager

from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID


class Socket(Transport):
    receive_json = iter_json = None

    async def accept(self, subprotocol: str | None = None) -> None:
        return

    async def send_json(self, data: Any, mode: str = "text") -> None:
        await self.send(json.dumps(data))


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    manager = WebSocketManager("channel", "memory://")
    for number in range(members + others):
        topic = "lobby" if number < members else f"elsewhere/{number // 10}"
        await manager.new_connection(Socket(write), str(number), topic)

    async def publish() -> None:
        await manager._send(Message(data={"event": "chat.said", "payload": SAID}, typ="send", topic="lobby"))

    return publish
