"""What all contestants share: a socket beside theirs, over which a process is told how much to publish."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.servers.asgi import Receive, Scope, Send, frames
from benchmarks.wire import TEXT

PATH = "/control/"
ROOM = "lobby"  # that is published to
MEMBERS_ROOM = os.environ.get("BENCH_ROOM", ROOM)  # that the members in this process are in

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Publish = Callable[[dict[str, Any]], Awaitable[object]]


def controlled(app: Application, publish: Publish) -> Application:
    """Add the socket. `publish` sends a payload to the room, in the contestant's way."""

    async def together(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != PATH:
            await app(scope, receive, send)
            return
        async for frame in frames(scope, receive, send):
            order = json.loads(frame)
            share = order["messages"] // order["publishers"]
            await asyncio.gather(*(_publish(publish, share) for _ in range(order["publishers"])))
            await send({"type": "websocket.send", "text": "done"})

    return together


async def _publish(publish: Publish, messages: int) -> None:
    for _ in range(messages):
        # The clock is that of the machine: whoever loads it reads it as well.
        await publish({"at": time.monotonic_ns(), "text": TEXT})


def with_lifespan(app: Application, start: Callable[[], Awaitable[object]]) -> Application:
    """Add what is to be done when the server starts."""

    async def together(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        await start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return together


class AsgiSocket:
    """A socket in the shape of Starlette's, for libraries that want one."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send_text(self, data: str) -> None:
        await self._send({"type": "websocket.send", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = 1000) -> None:
        await self._send({"type": "websocket.close", "code": code})
