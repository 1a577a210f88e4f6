"""beeflow-websocket in a FastAPI route, as its documentation mounts it."""

from beeflow_websocket.fastapi import configure_beeflow_websocket, handle_beeflow_websocket
from fastapi import FastAPI, WebSocket

import benchmarks.applications.beeflow  # noqa: F401  (importing registers the action)
from benchmarks.wire import USER_ID

app = FastAPI()
configure_beeflow_websocket(app, autodiscover=False)


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_beeflow_websocket(websocket, user_id=USER_ID)
