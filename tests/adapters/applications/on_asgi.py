"""The application under test on any ASGI server, without a framework."""

import json
from typing import Any
from urllib.parse import parse_qs

from tests.adapters.applications import actions
from tests.adapters.applications.common import ban, hook, limits, look_inside, together, user_from
from wsproto_asgi import WebSocketApp
from wsproto_asgi.handshake import Receive, Scope, Send
from wsproto_core import ConnectionInfo, room


def authenticate(info: ConnectionInfo) -> Any:
    if info.path == "/login/":
        return actions.authenticate(info)
    return user_from(parse_qs(info.query).get("user", [None])[0])


socket = WebSocketApp(
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


async def answer(path: str) -> object:
    what, _, name = path.removeprefix("/").partition("/")
    if what == "inside":
        return look_inside(socket.hub)
    if what == "say":
        return await socket.hub.emit(actions.Entered(room=name), to=room(name))
    if what == "ban":
        return await ban(socket.hub, name)
    return actions.gates[name].set()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http" or socket.hub.site.has(scope["path"]):
        await socket(scope, receive, send)
        return
    body = json.dumps(await answer(scope["path"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
