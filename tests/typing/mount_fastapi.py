"""Read by type checkers, never run: mounting into a FastAPI application."""

from typing import Annotated, assert_type

from fastapi import Depends, FastAPI, WebSocket

from wsproto_core import Hub
from wsproto_fastapi import configure_websocket, handle_websocket


def current_user_id(token: str = "") -> int:
    return len(token)


app = FastAPI()
hub = configure_websocket(app, problem_type_base_url="https://example.com/problems")
assert_type(hub, Hub)


@app.websocket("/ws/")
async def ws(websocket: WebSocket, user_id: Annotated[int, Depends(current_user_id)]) -> None:
    await handle_websocket(websocket, user_id=user_id)
