"""The actions of the chat demo on Flask, with its strict Content Security Policy: ``python -m … PORT``."""

import sys

from flask import Flask, Response
from flask_sock import Sock
from simple_websocket import Server

from examples.chat.actions import options
from wsproto_flask import configure_websocket, handle_websocket

app = Flask(__name__)
sock = Sock(app)
configure_websocket(app, title="Chat", **options("Flask"))


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket)


@app.after_request
def content_security_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
