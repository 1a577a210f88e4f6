"""A Flask application with what Flask users have around: a database session, `g`, `request`, teardown functions."""

import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, abort, current_app, g, request, session
from flask_sock import Sock
from pydantic import BaseModel
from simple_websocket import Server
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker

from wsproto_core import ANY_ORIGIN, ActionContext, Event, Problem, Registry, room
from wsproto_flask import configure_websocket, exempt, handle_websocket

registry = Registry()
app = Flask("shop")
app.secret_key = "for tests"
app.config["SOCK_SERVER_OPTIONS"] = {"subprotocols": ["raw"], "ping_interval": 0.2}
sock = Sock(app)

engine = create_engine("sqlite://")
# One session for each application context, as Flask-SQLAlchemy has it.
sessions = scoped_session(sessionmaker(engine), scopefunc=lambda: id(g._get_current_object()))
torn_down: list[str] = []
seen: list[str] = []


class Name(BaseModel):
    name: str = ""


class Seen(Event, name="seen"):
    """What a handler found around it."""

    path: str
    agent: str | None
    app: str
    fresh: bool
    thread: str
    user: str | None
    torn_down: int
    rows: int


def look() -> Seen:
    fresh = not hasattr(g, "used")
    g.used = True
    db = sessions()
    rows: int = db.execute(text("select 1")).scalar_one()
    return Seen(
        path=request.path,
        agent=request.headers.get("X-Agent"),
        app=current_app.name,
        fresh=fresh,
        thread=threading.current_thread().name,
        user=session.get("user"),
        torn_down=len(torn_down),
        rows=rows,
    )


@app.teardown_appcontext
def remove_session(error: BaseException | None) -> None:
    if g.pop("used", False):
        sessions.remove()
        torn_down.append(type(error).__name__)


@registry.action("plain")
def plain(payload: Name, context: ActionContext) -> Seen:
    return look()


@registry.action("generator")
def generator(payload: Name) -> Iterator[Seen]:
    yield look()
    yield look()


@registry.action("beside", concurrency=2)
def beside(payload: Name) -> Seen:
    return look()


@registry.action("coroutine")
async def coroutine(payload: Name) -> Seen:
    return look()


@registry.action("failing")
def failing(payload: Name) -> None:
    g.used = True
    raise ValueError("for the teardown")


@registry.action("required", requires=lambda context: current_app.name == "shop")
def required(payload: Name) -> Seen:
    return look()


@registry.action("scoped", requires=["admin"])
def scoped(payload: Name) -> Seen:
    return look()


@registry.action("many")
def many(payload: Name, context: ActionContext) -> list[Seen]:
    context.join("many")
    context.emit(look())
    context.emit(look(), to=room("many"))
    return [look().to(room("many")), look()]


@registry.action("tell")
def tell_the_hall(payload: Name) -> Seen:
    return look().to(room("hall"))


@registry.action("tell_coroutine")
async def tell_the_hall_from_the_loop(payload: Name) -> Seen:
    return look().to(room("hall"))


def on_connect(context: ActionContext) -> None:
    context.join("hall")
    seen.append(f"connected in {current_app.name}: {request.path}")


def on_disconnect(context: ActionContext, code: int) -> None:
    seen.append(f"gone from {current_app.name}: {code}")


hub = configure_websocket(
    app,
    registry=registry,
    autodiscover=False,
    on_connect=on_connect,
    on_disconnect=on_disconnect,
    allowed_origins=ANY_ORIGIN,
)


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket)


@sock.route("/refused/")
def refused(websocket: Server) -> None:
    abort(418)


@sock.route("/raw/")
@exempt
def raw(websocket: Server) -> None:
    websocket.send(f"{websocket.subprotocol}: {websocket.receive()}")


@sock.route("/own/")
def own(websocket: Server) -> None:
    while True:
        websocket.send(websocket.receive())


@sock.route("/idle/")
def idle(websocket: Server) -> None:
    """Ends without a word."""


@sock.route("/after/")
def after(websocket: Server) -> None:
    greeting = websocket.receive()
    websocket.send(greeting)
    handle_websocket(websocket)


@app.get("/seen")
def tell() -> dict[str, Any]:
    return {"seen": seen, "torn_down": torn_down, "threads": threading.active_count()}


@app.get("/problem")
def problem() -> None:
    raise Problem("Not today.", status=409, code="room_full", title="Room is full")


@app.get("/emit")
def emit() -> str:
    hub.emit_sync(look(), to=room("hall"))
    return "null"


@app.get("/emit-from-a-thread")
def emit_from_a_thread() -> str:
    thread = threading.Thread(target=hub.emit_sync, args=[look(), room("hall")])
    thread.start()
    thread.join()
    return "null"
