"""hawkapi-websockets with its RedisBackplane."""

from typing import Any

from hawkapi_websockets import ConnectionManager, RedisBackplane, bind_manager

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, AsgiSocket, controlled, with_lifespan
from benchmarks.engines import url
from benchmarks.servers.asgi import Receive, Scope, Send, frames

manager = ConnectionManager()
backplane = RedisBackplane(url())
bind_manager(backplane, manager)


async def publish(payload: dict[str, Any]) -> None:
    await backplane.publish({"kind": "json", "room": ROOM, "payload": {"event": "chat.said", "payload": payload}})


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    connection = await manager.connect(AsgiSocket(send), rooms=[MEMBERS_ROOM])
    try:
        async for _ in frames(scope, receive, send):
            pass
    finally:
        await manager.disconnect(connection.id)


app = with_lifespan(controlled(serve, publish), backplane.start)
