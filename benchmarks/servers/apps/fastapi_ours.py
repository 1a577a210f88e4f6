"""This library in a FastAPI route, with the default settings."""

from fastapi import FastAPI, WebSocket

from benchmarks.applications.ours import registry
from benchmarks.wire import USER_ID
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
configure_websocket(app, registry=registry, autodiscover=False)


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id=USER_ID)
