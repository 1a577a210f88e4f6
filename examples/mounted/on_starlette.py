"""In Starlette: a mounted application. It never gets a lifespan, so the hub is stopped by Starlette's own.

uvicorn examples.mounted.on_starlette:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from examples.mounted.actions import Said, authenticate
from wsproto_asgi import WebSocketApp
from wsproto_core import room

sockets = WebSocketApp(authenticate=authenticate, path="/")


async def announce(request: Request) -> JSONResponse:
    event = Said(user_id=None, text="Hello from HTTP")
    return JSONResponse(await sockets.hub.emit(event, to=room(request.path_params["name"])))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    yield
    await sockets.hub.stop()


app = Starlette(routes=[Route("/announce/{name}", announce), Mount("/ws", sockets)], lifespan=lifespan)
