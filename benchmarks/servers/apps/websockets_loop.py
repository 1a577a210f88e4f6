"""A loop of sends by hand: whatever one client sends, all are told, each with its own number."""

import json
import socket

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.wire import SAID

connections: dict[ServerConnection, int] = {}


async def handler(websocket: ServerConnection) -> None:
    connections[websocket] = 0
    try:
        async for _ in websocket:
            payload = json.dumps(SAID)
            for each in list(connections):
                connections[each] += 1
                await each.send(f'{{"seq":{connections[each]},"event":"chat.said","payload":{payload}}}')
    except ConnectionClosed:
        return
    finally:
        del connections[websocket]


def app(listener: socket.socket) -> Server:
    return serve(handler, sock=listener, compression=None)
