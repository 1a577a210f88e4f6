"""A gateway in routes of FastAPI, before the service of the variable ``TEST_GATEWAY``; see `on_gateway`."""

import os
from typing import Any

from fastapi import Depends, FastAPI, WebSocket, WebSocketException

from tests.adapters.applications.on_gateway import look_inside, proxy

app = FastAPI()
app.mount("/chat", proxy)
app.get("/inside")(look_inside)


def current_user(websocket: WebSocket) -> str:
    name = websocket.query_params.get("user")
    if name is None:
        raise WebSocketException(3000)
    return name


@app.websocket("/ws/")
async def ws(websocket: WebSocket, user: str = Depends(current_user)) -> None:
    await proxy.handle_websocket(websocket, headers={"x-user-id": user})


@app.websocket("/accepted/")
async def accepted(websocket: WebSocket) -> None:
    await websocket.accept()
    await proxy.handle_websocket(websocket)


@app.get("/")
def pid() -> dict[str, Any]:
    return {"pid": os.getpid()}
