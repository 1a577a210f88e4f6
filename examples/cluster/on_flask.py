"""The same chat on Flask: only what mounts it is another."""

from pathlib import Path

from flask import Flask, Response, send_file
from flask_sock import Sock
from simple_websocket import Server

from examples import chat
from examples.chat.actions import options
from wsproto_flask import configure_websocket, handle_websocket

HERE = Path(chat.__path__[0])
app = Flask(__name__, static_folder=HERE / "static", static_url_path="")
sock = Sock(app)
configure_websocket(app, **options("Flask"))


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket)


@app.after_request
def content_security_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


@app.get("/wsproto.js")
def client_module() -> Response:
    return send_file(HERE.parents[1] / "clients/typescript/wsproto.js", mimetype="text/javascript")


@app.get("/")
def page() -> Response:
    return app.send_static_file("index.html")
