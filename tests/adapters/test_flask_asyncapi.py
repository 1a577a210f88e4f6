"""What Flask applications document."""

from typing import Any

from flask import Flask, request
from flask.testing import FlaskClient
from flask_sock import Sock
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from wsproto_core import Registry
from wsproto_flask import configure_websocket, exempt, handle_websocket


def made(**options: Any) -> tuple[Flask, FlaskClient]:
    app = Flask(__name__)
    configure_websocket(app, registry=Registry(), install_signal_handlers=False, **options)
    sock = Sock(app)

    @sock.route("/ws/<int:room>/")
    def ws(websocket: Any, room: int) -> None:
        """Of a room."""
        handle_websocket(websocket)

    @sock.route("/raw")
    @exempt
    def raw(websocket: Any) -> None:
        handle_websocket(websocket)

    @sock.route("/foreign")
    def foreign(websocket: Any) -> None:
        websocket.send("mine")

    return app, app.test_client()


def channels(client: Any, path: str = "/asyncapi.json") -> dict[str, tuple[str, str]]:
    document = client.get(path).json
    return {key: (each["address"], each["x-wsproto-kind"]) for key, each in document["channels"].items()}


def test_sockets_are_told_apart() -> None:
    _, client = made()
    assert channels(client) == {
        "ws.room": ("/ws/{room}/", "socket"),
        "raw": ("/raw", "foreign"),
        "foreign": ("/foreign", "foreign"),
    }
    channel = client.get("/asyncapi.json").json["channels"]["ws.room"]  # type: ignore[index]
    assert (channel["title"], channel["description"]) == ("ws", "Of a room.")


def test_the_applications_own_rules_come_first() -> None:
    app, client = made(problem_pages_url="/problems")
    app.add_url_rule("/asyncapi", "mine", lambda: "mine")
    app.add_url_rule("/problems/<name>", "theirs", lambda name: name)
    app.add_url_rule("/asyncapi.json", "posted", lambda: "posted", methods=["POST"])
    app.add_url_rule("/<path:path>", "rest", lambda path: path)
    assert client.get("/asyncapi").text == "mine"
    assert client.post("/asyncapi.json").text == "posted"
    assert channels(client)
    assert client.get("/problems/conflict").text.startswith("<!doctype html>")
    assert client.get("/asyncapi.yaml").mimetype == "application/yaml"
    assert client.get("/anything").text == "anything"


def test_what_is_asked_before_every_request_is_asked_before_these() -> None:
    app, client = made()

    @app.before_request
    def log_in() -> Any:
        return None if request.headers.get("X-User") else ("Log in first.", 401)

    assert client.get("/asyncapi").status_code == 401
    assert client.get("/asyncapi", headers={"X-User": "ada"}).status_code == 200


def test_who_may_read_it_is_asked_in_the_request() -> None:
    _, client = made(authorize_docs=lambda info: request.headers.get("X-User") == "ada")
    assert client.get("/asyncapi").status_code == 403
    assert client.get("/asyncapi", headers={"X-User": "ada"}).status_code == 200


def test_an_async_hook_is_awaited() -> None:
    async def ask(info: Any) -> bool:
        return bool(info.headers.get("x-user") == "ada")

    _, client = made(authorize_docs=ask)
    assert client.get("/asyncapi").status_code == 403
    assert client.get("/asyncapi", headers={"X-User": "ada"}).status_code == 200


def test_urls_are_right_below_a_prefix() -> None:
    app, _ = made()
    client = Client(DispatcherMiddleware(Flask("other"), {"/api": app}))
    assert channels(client, "/api/asyncapi.json")["ws.room"] == ("/api/ws/{room}/", "socket")
    page = client.get("/api/asyncapi").text
    assert '"/api/asyncapi.json"' in page


def test_a_prefix_of_the_clients_choice_is_no_template() -> None:
    _, client = made()
    page = client.get("/asyncapi", environ_overrides={"SCRIPT_NAME": r"/a\g"})
    assert page.status_code == 200
    assert r'href="/a\g/asyncapi.css"' in page.text


def test_a_prefix_that_paths_begin_with_by_chance_is_no_part_of_them() -> None:
    _, client = made()
    assert client.get("/asyncapi", environ_overrides={"SCRIPT_NAME": "/a"}).status_code == 200


def test_what_is_switched_off_is_not_there() -> None:
    _, client = made(asyncapi_url=None, docs_url=None)
    assert {client.get(path).status_code for path in ("/asyncapi", "/asyncapi.json", "/asyncapi.yaml")} == {404}
