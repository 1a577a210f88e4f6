"""A site on Flask, to be served behind a proxy: visitors log in over HTTP, and are who they are on the socket."""

from flask import Flask, redirect, session, url_for
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from tests.adapters.applications.common import PAGE, origins
from wsproto_flask import configure_websocket, handle_websocket

app = Flask(__name__)
app.config.update(SECRET_KEY="of a test", SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PATH="/")
# Not x_host: the proxy passes Host on, and whatever else says it comes from the client.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=0, x_prefix=1)  # type: ignore[method-assign]
sock = Sock(app)
configure_websocket(app, allowed_origins=origins())


@app.get("/")
def page() -> str:
    return PAGE


@app.post("/log-in/<name>")
def log_in(name: str) -> Response:
    session["user"] = name
    return redirect(url_for("page"), 303)


@sock.route("/ws/")
def ws(websocket: Server) -> None:
    handle_websocket(websocket, user_id=session.get("user"))
