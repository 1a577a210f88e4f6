"""A site on FastAPI whose visitors log in over HTTP, and are who they are on the socket by their cookie."""

from secrets import token_urlsafe

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse

from tests.adapters.applications.common import PAGE, origins
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
configure_websocket(app, allowed_origins=origins())

users: dict[str, str] = {}
"""Who is logged in, by the cookie."""


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE


@app.post("/log-in/{name}")
async def log_in(name: str, request: Request) -> RedirectResponse:
    session = token_urlsafe()
    users[session] = name
    answer = RedirectResponse(request.scope["root_path"] + "/", status_code=303)
    answer.set_cookie("session", session, httponly=True, samesite="strict")
    return answer


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id=users.get(websocket.cookies.get("session", "")))
