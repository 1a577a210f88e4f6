"""python-socketio with its Redis manager, over WebSockets alone."""

from typing import Any

import socketio

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, controlled
from benchmarks.engines import url

server = socketio.AsyncServer(
    async_mode="asgi", client_manager=socketio.AsyncRedisManager(url()), transports=["websocket"]
)


@server.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    await server.enter_room(sid, MEMBERS_ROOM)


async def publish(payload: dict[str, Any]) -> None:
    await server.emit("chat.said", payload, room=ROOM)


app = controlled(socketio.ASGIApp(server), publish)
