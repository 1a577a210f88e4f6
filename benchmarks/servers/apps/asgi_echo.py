"""A bare ASGI application that sends back what it got: what the server itself costs."""

from benchmarks.servers.asgi import Receive, Scope, Send, frames


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    async for frame in frames(scope, receive, send):
        await send({"type": "websocket.send", "text": frame})
