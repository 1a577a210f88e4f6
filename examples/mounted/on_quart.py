"""In Quart: connections go to us, everything else to Quart.

uvicorn examples.mounted.on_quart:app
"""

from typing import Any

from quart import Quart, Response, jsonify

from examples.mounted.actions import Said, authenticate
from wsproto_asgi import WebSocketApp
from wsproto_core import room

quart = Quart(__name__)
sockets = WebSocketApp(authenticate=authenticate, path="/ws/")


@quart.get("/announce/<name>")
async def announce(name: str) -> Response:
    return jsonify(await sockets.hub.emit(Said(user_id=None, text="Hello from HTTP"), to=room(name)))


@quart.after_serving
async def stop() -> None:
    await sockets.hub.stop()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await (sockets if scope["type"] == "websocket" else quart)(scope, receive, send)
