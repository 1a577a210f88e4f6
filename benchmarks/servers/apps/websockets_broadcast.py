"""`websockets.broadcast` by hand: whatever one client sends, all are told; the frame is the same for all."""

import json
import socket

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.wire import SAID

connections: set[ServerConnection] = set()


async def handler(websocket: ServerConnection) -> None:
    connections.add(websocket)
    try:
        async for _ in websocket:
            broadcast(connections, json.dumps({"event": "chat.said", "payload": SAID}))
    except ConnectionClosed:
        return
    finally:
        connections.discard(websocket)


def app(listener: socket.socket) -> Server:
    return serve(handler, sock=listener, compression=None)
