"""The web server's side: it takes orders, gives them to Celery, and hears of the rest through Redis."""

import os
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from examples.notifications.events import Order, Ordered
from examples.notifications.tasks import count_primes
from wsproto_core import ActionContext, ConnectionInfo, Problem, action, user
from wsproto_fastapi import configure_websocket, handle_websocket


@action("report.order", summary="Have a report made; its progress comes as events")
def order(payload: Order, context: ActionContext[str]) -> Ordered:
    # A plain function runs in a thread, so it may wait for the broker.
    report = count_primes.delay(payload.upto, context.user_id)
    # All pages of this user hear of it, as they hear of its progress.
    return Ordered(report=report.id, upto=payload.upto).to(user(context.user_id))


def visitor(info: ConnectionInfo) -> str:
    """Whoever holds a token is one visitor, known by its hash. In earnest, verify a token of your own here."""
    if info.token is None:
        raise Problem(status=401, detail="A token is missing: any text that nobody else can guess.")
    return sha256(info.token.encode()).hexdigest()[:16]


HERE = Path(__file__).parent
app = FastAPI(title="Notifications")
hub = configure_websocket(app, backplane=os.environ["BACKPLANE"], authenticate=visitor)


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
