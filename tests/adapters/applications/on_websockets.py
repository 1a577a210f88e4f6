"""The application under test on the websockets library's own server: `python -m … PORT`."""

import asyncio
import contextlib
import json
import sys
from typing import Any
from urllib.parse import parse_qs

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from tests.adapters.applications import actions
from tests.adapters.applications.common import ban, hook, limits, look_inside, together, user_from
from wsproto_core import ConnectionInfo, Hub, Settings, room
from wsproto_websockets import serve


def authenticate(info: ConnectionInfo) -> Any:
    if info.path == "/login/":
        return actions.authenticate(info)
    return user_from(parse_qs(info.query).get("user", [None])[0])


hub = Hub(
    Settings(
        problem_type_base_url="https://example.com/problems",
        problem_pages_url="/problems",
        limits=limits(),
        authorize_subscribe=hook(),
        client_wildcards=hook() is not None,
        authenticate=authenticate,
        tickets=actions.tickets,
        on_disconnect=actions.on_disconnect,
        **together(),
    )
)


async def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what the tests ask over HTTP."""
    _, what, *name = request.path.split("/")
    match what, *name:
        case "inside", *_:
            return as_json(connection, look_inside(hub))
        case "open", name:
            return as_json(connection, actions.gates[name].set())
        case "say", name:
            return as_json(connection, await hub.emit(actions.Entered(room=name), to=room(name)))
        case "ban", name:
            return as_json(connection, await ban(hub, name))
    return None


def as_json(connection: ServerConnection, value: Any) -> Response:
    response = connection.respond(200, json.dumps(value))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


async def main() -> None:
    async with serve("127.0.0.1", int(sys.argv[1]), hub=hub, process_request=answer) as server:
        await server.wait_closed()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
