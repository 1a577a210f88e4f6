"""Read by type checkers, never run: a gateway, mounted and in a route."""

from fastapi import FastAPI, WebSocket

from wsproto_core import SAME_ORIGIN, ConnectionInfo
from wsproto_proxy import WebSocketProxy


async def find(info: ConnectionInfo) -> str:
    return f"ws://{info.headers['x-region']}.internal"


def find_now(info: ConnectionInfo) -> str:
    return "ws://one.internal"


app = FastAPI()
app.mount("/a", WebSocketProxy("ws://a.internal", forward_headers=["cookie"], allowed_origins=SAME_ORIGIN))
app.mount("/b", WebSocketProxy(find_now, connect_timeout=None))
proxy = WebSocketProxy(find, headers={"x-key": "1"}, idle_timeout=60)


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await proxy.handle_websocket(websocket, headers={"x-user-id": "7"})
