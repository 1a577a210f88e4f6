"""A bare ASGI application, typed by hand with pydantic."""

from benchmarks.applications.typed import Connection
from benchmarks.servers.asgi import Receive, Scope, Send, frames


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    connection = Connection()
    async for frame in frames(scope, receive, send):
        await send({"type": "websocket.send", "text": connection.answer(frame)})
