"""The gateway: it knows the users, and the service is told who it is."""

import os
import secrets
from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Response, WebSocket

from wsproto_proxy import WebSocketProxy

app = FastAPI()
proxy = WebSocketProxy(
    os.environ.get("SERVICE", "ws://127.0.0.1:8001/ws/"),
    forward_headers=["accept-language"],
    max_message_bytes=65_536,
)
keys: dict[str, str] = {}


@app.get("/login/{name}")
def login(name: str, response: Response) -> dict[str, str]:
    """Give a key to whoever asks, which an application of yours would not."""
    key = secrets.token_urlsafe()
    keys[key] = name
    response.set_cookie("key", key, httponly=True, samesite="strict")
    return {"key": key}


def current_user(key: Annotated[str, Cookie()] = "", authorization: Annotated[str, Header()] = "") -> str:
    name = keys.get(key or authorization.removeprefix("Bearer "))
    if name is None:
        raise HTTPException(401)
    return name


@app.websocket("/ws/")
async def ws(websocket: WebSocket, user: Annotated[str, Depends(current_user)]) -> None:
    await proxy.handle_websocket(websocket, headers={"x-user-id": user})
