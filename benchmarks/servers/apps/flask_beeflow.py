"""beeflow-websocket in a flask-sock route, as its documentation mounts it."""

from beeflow_websocket.flask import configure_beeflow_websocket, handle_beeflow_websocket
from flask import Flask
from flask_sock import Sock
from simple_websocket import Server

import benchmarks.applications.beeflow  # noqa: F401  (importing registers the action)
from benchmarks.wire import USER_ID

app = Flask(__name__)
sock = Sock(app)
configure_beeflow_websocket(app, autodiscover=False)


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_beeflow_websocket(websocket, user_id=USER_ID)
