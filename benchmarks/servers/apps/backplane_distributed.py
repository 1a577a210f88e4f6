"""fastapi-distributed-websocket with its Redis broker."""

from typing import Any
from uuid import uuid4

from distributed_websocket import Message, WebSocketManager
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, controlled, with_lifespan
from benchmarks.engines import url

manager = WebSocketManager("channel", url())
served = FastAPI()


async def publish(payload: dict[str, Any]) -> None:
    data = {"event": "chat.said", "payload": payload}
    await manager._publish_to_broker(Message(data=data, typ="send", topic=ROOM).__serialize__())


@served.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    connection = await manager.new_connection(websocket, str(uuid4()), MEMBERS_ROOM)
    try:
        async for _ in connection.iter_json():
            pass
    except WebSocketDisconnect:
        pass
    manager.remove_connection(connection)


app = with_lifespan(controlled(served, publish), manager.startup)
