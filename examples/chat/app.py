"""A chat with rooms on FastAPI. Run ``python -m examples.chat`` and open two windows."""

from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from examples.chat.actions import options
from wsproto_fastapi import configure_websocket, handle_websocket

HERE = Path(__file__).parent
app = FastAPI(title="Chat")
configure_websocket(app, **options("FastAPI"))


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket)


@app.middleware("http")
async def content_security_policy(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


@app.get("/wsproto.js")
async def client_module() -> FileResponse:
    return FileResponse(HERE.parents[1] / "clients/typescript/wsproto.js", media_type="text/javascript")


app.mount("/", StaticFiles(directory=HERE / "static", html=True))
