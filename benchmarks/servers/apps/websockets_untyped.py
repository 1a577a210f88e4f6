"""A handler of the websockets library by hand: json.loads, a dict, json.dumps. `app` makes the server of a listener."""

import socket

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.applications.untyped import Connection


async def handler(websocket: ServerConnection) -> None:
    connection = Connection()
    try:
        async for message in websocket:
            await websocket.send(connection.answer(str(message)))
    except ConnectionClosed:
        return


def app(listener: socket.socket) -> Server:
    return serve(handler, sock=listener, compression=None)
