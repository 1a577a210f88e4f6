"""This library in a flask-sock route, with the default settings; the handler is a plain function."""

from flask import Flask
from flask_sock import Sock
from simple_websocket import Server

from benchmarks.applications.ours_plain import registry
from benchmarks.wire import USER_ID
from wsproto_flask import configure_websocket, handle_websocket

app = Flask(__name__)
sock = Sock(app)
configure_websocket(app, registry=registry, autodiscover=False)


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket, user_id=USER_ID)
