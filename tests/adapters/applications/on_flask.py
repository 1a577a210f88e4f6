"""The application under test on Flask and flask-sock; run as a program, on the server of werkzeug."""

import sys
from typing import Any

from flask import Flask, request
from flask_sock import Sock
from simple_websocket import Server

from tests.adapters.applications import actions
from tests.adapters.applications.common import ban, hook, limits, look_inside, together, user_from
from wsproto_core import room
from wsproto_core.blocking import loop_thread
from wsproto_flask import configure_websocket, handle_websocket

app = Flask(__name__)
sock = Sock(app)
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


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket, user_id=user_from(request.args.get("user")))


@sock.route("/login/")
def login(websocket: Server) -> None:
    handle_websocket(websocket)


@app.get("/inside")
def inside() -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        return look_inside(hub)

    return loop_thread.run(look())


@app.get("/open/<name>")
def open_gate(name: str) -> str:
    actions.gates[name].set()
    return "null"


@app.get("/say/<name>")
def say(name: str) -> str:
    return str(loop_thread.run(hub.emit(actions.Entered(room=name), to=room(name))))


@app.get("/emit-sync/<name>")
def emit_sync(name: str) -> str:
    hub.emit_sync(actions.Entered(room=name), to=room(name))
    return "null"


@app.get("/ban/<name>")
def ban_user(name: str) -> str:
    return str(loop_thread.run(ban(hub, name)))


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
