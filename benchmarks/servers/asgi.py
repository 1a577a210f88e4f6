"""ASGI without a framework."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def frames(scope: Scope, receive: Receive, send: Send) -> AsyncIterator[str]:
    """Accept, and give the text frames until the client goes; nothing for what is no WebSocket."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        yield message["text"]
