"""Read by type checkers, never run: the websockets library's own server."""

from typing import assert_type

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from wsproto_core import ConnectionInfo, Hub, Limits
from wsproto_websockets import Server, basic_auth, serve, unix_serve


async def authenticate(info: ConnectionInfo) -> str | None:
    return info.token


def health(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(200, "OK\n") if request.path == "/healthz" else None


async def main(hub: Hub) -> None:
    async with serve(
        authenticate=authenticate,
        host="127.0.0.1",
        port=8765,
        path="/ws/",
        limits=Limits(max_connections=10),
        compression=None,
        ping_interval=10,
        process_request=health,
    ) as server:
        assert_type(server, Server)
        assert_type(server.hub, Hub)
        for connection in server:
            assert_type(connection.latency, float)
        server.close(code=1012, reason="New version.")
        await server.wait_closed()
    shared = await serve("127.0.0.1", 8765, hub=hub, process_request=basic_auth(credentials=("ada", "s3cret")))
    await shared.serve_forever()
    async with unix_serve("/run/chat.sock", url_path="/ws/"):
        pass
