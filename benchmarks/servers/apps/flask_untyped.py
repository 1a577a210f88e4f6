"""A flask-sock route by hand: json.loads, a dict, json.dumps."""

from flask import Flask
from flask_sock import Sock
from simple_websocket import Server

from benchmarks.applications.untyped import Connection

app = Flask(__name__)
sock = Sock(app)


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    connection = Connection()
    while True:
        websocket.send(connection.answer(websocket.receive()))
