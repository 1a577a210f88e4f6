"""What is ASGI's own: paths, HTTP, lifespans, refusals, and servers that do odd things."""

import asyncio
import json
import logging
import urllib.error
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import pytest

from tests.adapters.conftest import Serve
from tests.adapters.talking import PATIENCE, message
from wsproto_asgi import WebSocketApp, connection, info_from_scope, run_websocket
from wsproto_core import (
    ActionContext,
    ConfigurationError,
    Event,
    Hub,
    Limits,
    Problem,
    Registry,
    Settings,
    room,
)

registry = Registry()


class Joined(Event, name="joined", registry=registry):
    room: str


@registry.action("join")
async def join(payload: dict[str, str], context: ActionContext) -> Joined:
    await context.join(payload["room"])
    return Joined(room=payload["room"])


@registry.action("forever")
async def forever(context: ActionContext) -> None:
    context.state["began"].set()
    await asyncio.Event().wait()


class Peer:
    """The server's side of one ASGI connection, and what the application sends to it.

    Args:
        application: that is called.
        scope: members that differ from those of an ordinary WebSocket connection.
    """

    def __init__(self, application: Any, **scope: Any) -> None:
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "scheme": "ws",
            "path": "/ws/",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"testserver")],
            "client": ("127.0.0.1", 50_000),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
            **scope,
        }
        self.fails: BaseException | None = None
        """What sending raises from now on."""
        self.full = asyncio.Event()
        """Cleared, sending waits."""
        self.full.set()
        self._application = application
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._application(self.scope, self._incoming.get, self._send))
        if self.scope["type"] == "websocket":
            self.tell("websocket.connect")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.tell("websocket.disconnect", code=1001)
        await self.ended()

    def tell(self, kind: str, **members: Any) -> None:
        self._incoming.put_nowait({"type": kind, **members})

    async def sent(self) -> dict[str, Any]:
        """Return the next message of the application."""
        async with asyncio.timeout(PATIENCE):
            return await self._sent.get()

    async def ask(self, action: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        self.tell("websocket.receive", text=json.dumps(message(action, payload)))
        answer: dict[str, Any] = json.loads((await self.sent())["text"])
        return answer

    async def ended(self) -> None:
        """Wait until the application has returned."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([self.task])

    async def response(self) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
        """Return the HTTP response that the application gives instead of a connection: status, headers, JSON body."""
        start, body = await self.sent(), await self.sent()
        prefix = "websocket.http" if self.scope["type"] == "websocket" else "http"
        assert (start["type"], body["type"]) == (f"{prefix}.response.start", f"{prefix}.response.body")
        headers = dict(start["headers"])
        assert headers[b"content-type"] == b"application/problem+json"
        assert headers[b"content-length"] == str(len(body["body"])).encode()
        return start["status"], headers, json.loads(body["body"])

    async def _send(self, message: dict[str, Any]) -> None:
        await self.full.wait()
        if self.fails is not None:
            raise self.fails
        self._sent.put_nowait(message)


def application(**options: Any) -> WebSocketApp:
    return WebSocketApp(**{"registry": registry, "install_signal_handlers": False, **options})


async def is_served(peer: Peer) -> bool:
    return bool((await peer.sent())["type"] == "websocket.accept" and (await peer.ask("health"))["event"] == "health")


# Paths and HTTP


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/ws/", ""),
        ("/api/ws/", "/api"),
        ("/api/ws/", "/api/"),
        ("/ws/", "/not/part/of/it"),
        ("/a/b/ws/", "/a/b"),
        ("/ws/", "/w"),
    ],
)
async def test_the_path_is_served_below_whatever_it_is_mounted(path: str, root_path: str) -> None:
    async with Peer(application(path="/ws/"), path=path, root_path=root_path) as peer:
        assert await is_served(peer)


async def test_without_a_path_every_path_is_served() -> None:
    async with Peer(application(), path="/anywhere") as peer:
        assert await is_served(peer)
        assert (await peer.ask("no.such.action"))["instance"] == "/anywhere"


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/more", "/other/", "/WS/"])
async def test_every_other_path_is_not_found(path: str) -> None:
    app = application(path="/ws/", problem_type_base_url="https://example.com/problems")
    for kind in ("websocket", "http"):
        async with Peer(app, type=kind, path=path) as peer:
            status, _, problem = await peer.response()
            assert (status, problem["status"], problem["instance"]) == (404, 404, path)
            assert problem["type"] == "https://example.com/problems/not-found"
    async with Peer(app, path=path, extensions={}) as peer:
        assert (await peer.sent())["type"] == "websocket.close"


async def test_http_on_the_path_is_told_to_upgrade() -> None:
    for path in ("/ws/", None):
        async with Peer(application(path=path), type="http", path="/ws/") as peer:
            status, headers, problem = await peer.response()
            assert (status, headers[b"upgrade"], headers[b"connection"]) == (426, b"websocket", b"upgrade")
            assert (problem["title"], "ws://" in problem["detail"]) == ("Upgrade Required", True)


async def test_paths_and_refusals_over_a_real_server(serve: Serve) -> None:
    source = """
from wsproto_asgi import WebSocketApp
from wsproto_core import Problem

def authenticate(info):
    match info.token:
        case None:
            return None
        case "expired":
            raise Problem("The token has expired.", code="unauthenticated")
        case _:
            raise Problem("Not you.", code="forbidden")

socket = WebSocketApp(path="/ws/", authenticate=authenticate)

async def app(scope, receive, send):
    if scope.get("query_string") == b"old":  # as a server without denial responses
        scope = {**scope, "extensions": {}}
    await socket(scope, receive, send)
"""
    server = serve("app:app", source=source, args=["--root-path", "/live"])
    async with server.connect("/ws/") as client:
        assert await client.is_served()
        assert (await client.ask("no.such.action"))["instance"] == "/live/ws/"
    for path, expected in (("/ws/", 426), ("/other", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.get(path)
        assert refused.value.code == expected
        assert json.load(refused.value)["status"] == expected
        assert refused.value.headers.get("Upgrade") == ("websocket" if expected == 426 else None)
    assert (await server.refusal("/other")).status_code == 404
    for token, status, challenge in (("expired", 401, "Bearer"), ("banned", 403, None)):
        headers = {"Authorization": f"Bearer {token}"}
        response = await server.refusal("/ws/", additional_headers=headers)
        assert (response.status_code, response.headers.get("WWW-Authenticate")) == (status, challenge)
        assert json.loads(response.body or b"")["instance"] == "/live/ws/"
        assert (await server.refusal("/ws/?old", additional_headers=headers)).status_code == 403
    assert (await server.refusal("/ws/", origin="https://evil.example")).status_code == 403
    assert "Traceback" not in server.log


# Refusals


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem(code="unauthenticated"), 3000),
        (Problem(code="forbidden"), 3003),
        (Problem(status=429), 1013),
        (Problem(status=409), 1008),
        (Problem(status=500), 1011),
    ],
)
async def test_a_server_without_denial_responses_refuses_with_a_close_before_accept(
    problem: Problem, code: int
) -> None:
    def authenticate(info: object) -> None:
        raise problem

    app = application(authenticate=authenticate)
    for extensions in ({}, None):
        async with Peer(app, extensions=extensions) as peer:
            refused = await peer.sent()
            assert (refused["type"], refused["code"], refused["reason"]) == ("websocket.close", code, problem.title)
            await peer.ended()
    assert app.hub.stats().counters == {"refused": 2}


async def test_a_refusal_keeps_the_problem_as_it_is() -> None:
    def authenticate(info: object) -> None:
        raise Problem("Nicht du, Zoë.", status=402, code="unpaid", title="Unpaid", slug="unpaid", price=5)

    app = application(authenticate=authenticate, problem_type_base_url="https://example.com/problems")
    async with Peer(app, path="/ws/zoë") as peer:
        status, headers, problem = await peer.response()
    assert b"www-authenticate" not in headers
    assert (status, problem) == (
        402,
        {
            "type": "https://example.com/problems/unpaid",
            "title": "Unpaid",
            "status": 402,
            "detail": "Nicht du, Zoë.",
            "instance": "/ws/zoë",
            "code": "unpaid",
            "retryable": False,
            "price": 5,
        },
    )


async def test_whoever_is_gone_before_being_accepted_takes_no_place() -> None:
    app = application(limits=Limits(max_connections=1))
    peer = Peer(app)
    peer.fails = OSError("gone")
    async with peer:
        await peer.ended()
        assert isinstance(peer.task.exception(), OSError)
    async with Peer(app) as peer:
        assert await is_served(peer)
        async with Peer(app) as second:
            status, _, problem = await second.response()
            assert (status, problem["code"], problem["retryable"]) == (503, "unavailable", True)


async def test_a_connection_that_never_began_is_none() -> None:
    app = application()
    incoming = [{"type": "websocket.disconnect", "code": 1006}]

    async def receive() -> Any:
        return incoming.pop()

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await app(Peer(app).scope, receive, send)
    assert app.hub.stats().opened == 0


async def test_a_refused_connection_that_was_accepted_and_is_gone_harms_nobody() -> None:
    def authenticate(info: object) -> None:
        raise Problem(code="forbidden")

    hub = Hub(Settings(authenticate=authenticate))

    async def accepted(scope: Any, receive: Any, send: Any) -> None:
        await run_websocket(hub, scope, receive, send, accepted=True)

    peer = Peer(accepted)
    peer.fails = RuntimeError("gone")
    async with peer:
        await peer.ended()
    assert peer.task.exception() is None


# Odd servers


async def test_text_and_bytes_come_and_go() -> None:
    app = application()
    async with Peer(app, subprotocols=["chat"]) as peer:
        accepted = await peer.sent()
        assert accepted == {"type": "websocket.accept", "subprotocol": None, "headers": []}
        request = json.dumps(message("health"))
        for members in (
            {"text": request},
            {"text": request, "bytes": None},
            {"text": None, "bytes": request.encode()},
            {"bytes": request.encode()},
        ):
            peer.tell("websocket.receive", **members)
            assert json.loads((await peer.sent())["text"])["event"] == "health"
        (connection_id,) = app.hub.connections
        await app.hub.send(connection_id, b"\0raw")
        assert (await peer.sent())["bytes"] == b"\0raw"


@pytest.mark.parametrize(
    ("disconnect", "seen"),
    [
        ({"code": 1000, "reason": "bye"}, (1000, "bye")),
        ({"code": 1005}, (1005, "")),
        ({"code": 1006, "reason": None}, (1006, "")),
        ({}, (1005, "")),
    ],
)
async def test_the_code_and_the_reason_of_the_client_reach_on_disconnect(
    disconnect: dict[str, Any], seen: tuple[int, str]
) -> None:
    gone: list[tuple[int, str]] = []
    app = application(on_disconnect=lambda context, code, reason: gone.append((code, reason)))
    async with Peer(app) as peer:
        assert await is_served(peer)
        peer.tell("websocket.disconnect", **disconnect)
        await peer.ended()
    assert gone == [seen]


async def test_a_close_that_is_never_answered_does_not_keep_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CLOSE_HANDSHAKE", 0.05)
    gone: list[int] = []
    app = application(on_disconnect=lambda context, code: gone.append(code))
    peer = Peer(app)
    async with peer:
        assert await is_served(peer)
        (connection_id,) = app.hub.connections
        app.hub.connections[connection_id].close(1012, "The server restarts.")
        assert await peer.sent() == {"type": "websocket.close", "code": 1012, "reason": "The server restarts."}
        await peer.ended()
    assert not peer.task.cancelled()
    assert peer.task.exception() is None
    assert (gone, app.hub.connections) == ([1012], {})


async def test_a_client_that_never_reads_again_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_CLOSE_HANDSHAKE", 0.05)
    gone: list[int] = []
    app = application(on_disconnect=lambda context, code: gone.append(code), limits=Limits(send_timeout=0.05))
    tasks = len(asyncio.all_tasks())
    peer = Peer(app)
    async with peer:
        assert await is_served(peer)
        peer.full.clear()
        for _ in range(10):
            peer.tell("websocket.receive", text=json.dumps(message("health")))
        await peer.ended()
    assert (gone, app.hub.connections) == ([1013], {})
    async with asyncio.timeout(PATIENCE):
        while len(asyncio.all_tasks()) > tasks + 1:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


async def test_a_send_that_fails_ends_the_connection() -> None:
    gone: list[int] = []
    app = application(on_disconnect=lambda context, code: gone.append(code))
    async with Peer(app) as peer:
        assert await is_served(peer)
        peer.fails = OSError("gone")
        peer.tell("websocket.receive", text=json.dumps(message("health")))
        peer.tell("websocket.disconnect", code=1006)
        await peer.ended()
    assert peer.task.exception() is None
    assert gone == [1006]


async def test_a_server_that_cancels_us_is_obeyed_and_the_connection_ends() -> None:
    gone: list[int] = []
    app = application(on_disconnect=lambda context, code: gone.append(code))
    began = asyncio.Event()

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await run_websocket(app.hub, scope, receive, send, state={"began": began})

    peer = Peer(with_state)
    async with peer:
        await peer.sent()
        peer.tell("websocket.receive", text=json.dumps(message("forever")))
        async with asyncio.timeout(PATIENCE):
            await began.wait()
        peer.task.cancel()
        await peer.ended()
    assert peer.task.cancelled()
    assert (gone, app.hub.connections) == ([1006], {})


@pytest.mark.parametrize(
    ("headers", "token", "source"),
    [
        ([(b"authorization", b"Bearer t0ken")], "t0ken", "bearer"),
        ([(b"authorization", b"bearer  t0ken ")], "t0ken", "bearer"),
        ([(b"authorization", b"Basic YTpi")], "a:b", "basic"),
        ([(b"authorization", b"Basic !!")], None, None),
        ([(b"authorization", b"Bearer ")], None, None),
        ([(b"authorization", b"Digest x")], None, None),
        ([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], None, None),
        ([], None, None),
    ],
)
def test_a_credential_is_read_once_and_right(
    headers: Iterable[tuple[bytes, bytes]], token: str | None, source: str | None
) -> None:
    info = info_from_scope({"type": "websocket", "headers": headers})
    assert (info.token, info.source) == (token, source)


def test_a_scope_that_says_little_is_enough() -> None:
    info = info_from_scope({"type": "websocket", "client": None, "subprotocols": None})
    assert (info.path, info.query, info.peer, info.subprotocols, info.scheme) == ("/", "", None, (), "ws")
    assert info.extras["scope"] == {"type": "websocket", "client": None, "subprotocols": None}


# Lifespan


async def test_the_lifespan_stops_the_hub() -> None:
    app = application()
    async with Peer(app, type="lifespan") as lifespan, Peer(app) as peer:
        lifespan.tell("lifespan.startup")
        assert await lifespan.sent() == {"type": "lifespan.startup.complete"}
        assert await is_served(peer)
        lifespan.tell("lifespan.shutdown")
        assert (await peer.sent())["code"] == 1012
        peer.tell("websocket.disconnect", code=1012)
        assert await lifespan.sent() == {"type": "lifespan.shutdown.complete"}
    async with Peer(app) as peer:
        # Without a lifespan, or after it, a hub starts when it is first used.
        assert await is_served(peer)


async def test_a_hub_that_cannot_start_fails_the_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    app = application()

    def start() -> None:
        raise ConfigurationError("it cannot")

    monkeypatch.setattr(app.hub, "start", start)
    async with Peer(app, type="lifespan") as lifespan:
        lifespan.tell("lifespan.startup")
        failed = await lifespan.sent()
    assert failed == {"type": "lifespan.startup.failed", "message": "ConfigurationError: it cannot"}


async def test_another_kind_of_connection_is_refused() -> None:
    async with Peer(application(), type="webtransport") as peer:
        await peer.ended()
    with pytest.raises(RuntimeError, match="'webtransport'"):
        peer.task.result()


# Sharing, and mistakes


async def test_two_applications_share_a_hub() -> None:
    one = application()
    two = WebSocketApp(hub=one.hub, path="/two")
    assert two.hub is one.hub
    async with Peer(one) as first, Peer(two, path="/two") as second:
        assert await is_served(first)
        assert await is_served(second)
        for peer in (first, second):
            await peer.ask("join", {"room": "lobby"})
        assert await one.hub.emit(Joined(room="lobby"), to=room("lobby")) == 2
        for peer in (first, second):
            assert json.loads((await peer.sent())["text"])["seq"] == 3


async def test_two_applications_share_nothing_else() -> None:
    async with Peer(application()) as first, Peer(application()) as second:
        assert await is_served(first)
        assert await is_served(second)
        await first.ask("join", {"room": "lobby"})
        assert (await second.ask("join", {"room": "lobby"}))["seq"] == 2
        assert (await first.ask("health"))["seq"] == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "ws/"}, "'/ws/'"),
        ({"path": 5}, "path must be a string or None, not int"),
        ({"hub": "hub"}, "hub must be a Hub or None, not str"),
        ({"hub": Hub(), "limits": Limits(), "authenticate": None}, "remove authenticate, limits"),
        ({"autenticate": None}, "Did you mean 'authenticate'"),
        ({"limits": 5}, "Limits"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        WebSocketApp(**options)


def test_loggers_of_the_adapter_are_below_those_of_the_core() -> None:
    assert connection.log.name.startswith("wsproto_core.")
    assert isinstance(connection.log, logging.Logger)
