"""In Litestar: an ASGI handler.

uvicorn examples.mounted.on_litestar:app
"""

from litestar import Litestar, Request, asgi, get
from litestar.types import Receive, Scope, Send

from examples.mounted.actions import Said, authenticate
from wsproto_asgi import WebSocketApp
from wsproto_core import room

sockets = WebSocketApp(authenticate=authenticate)


@asgi("/ws/", copy_scope=True)
async def ws(scope: Scope, receive: Receive, send: Send) -> None:
    await sockets(scope, receive, send)


@get("/announce/{name:str}")
async def announce(request: Request) -> int:
    event = Said(user_id=None, text="Hello from HTTP")
    return await sockets.hub.emit(event, to=room(request.path_params["name"]))


app = Litestar([ws, announce], on_shutdown=[sockets.hub.stop])
