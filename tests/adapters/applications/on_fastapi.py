"""The application under test on FastAPI."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, WebSocket

from tests.adapters.applications import actions
from tests.adapters.applications.common import ban, hook, limits, look_inside, together, user_from
from wsproto_core import room
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
hub = configure_websocket(
    app,
    problem_type_base_url="https://example.com/problems",
    problem_pages_url="/problems",
    limits=limits(),
    authorize_subscribe=hook(),
    client_wildcards=hook() is not None,
    authenticate=actions.authenticate,
    tickets=actions.tickets,
    on_disconnect=actions.on_disconnect,
    **together(),
)


def current_user(user: str | None = None) -> int | str | UUID | None:
    return user_from(user)


@app.websocket("/ws/")
async def ws(websocket: WebSocket, user_id: Annotated[int | str | UUID | None, Depends(current_user)]) -> None:
    await handle_websocket(websocket, user_id=user_id)


@app.websocket("/login/")
async def login(websocket: WebSocket) -> None:
    await handle_websocket(websocket)


@app.get("/inside")
async def inside() -> dict[str, Any]:
    return look_inside(hub)


@app.get("/open/{name}")
async def open_gate(name: str) -> None:
    actions.gates[name].set()


@app.get("/say/{name}")
async def say(name: str) -> int:
    return await hub.emit(actions.Entered(room=name), to=room(name))


@app.get("/ban/{name}")
async def ban_user(name: str) -> int:
    return await ban(hub, name)
