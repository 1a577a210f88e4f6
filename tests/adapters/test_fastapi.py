"""What is FastAPI's own: dependencies, its test client, its ways to start and to mount, and mistakes in using us."""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, WebSocket
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from tests.adapters.conftest import Serve
from tests.adapters.serving import ROOT
from tests.adapters.talking import message
from wsproto_core import (
    AUTHENTICATE_LATER,
    ActionContext,
    ConfigurationError,
    ConnectionInfo,
    DuplicateNameError,
    Event,
    HostError,
    Hub,
    Problem,
    Registry,
    room,
)
from wsproto_core.testing import connect as in_memory
from wsproto_fastapi import configure_websocket, handle_websocket, hub_of

registry = Registry()


class Said(Event, name="chat.said", registry=registry):
    user_id: int | str | UUID | None
    text: str


@registry.action("chat.say")
async def say(payload: dict[str, str], context: ActionContext) -> Said:
    await context.join(room(payload["room"]))
    return Said(user_id=context.user_id, text=payload["text"]).to(room(payload["room"]))


@registry.action("whoami")
async def whoami(context: ActionContext) -> dict[str, Any] | Said:
    seen = [context.connection_id, sorted(context.rooms), context.state]
    return Said(user_id=context.user_id, text=json.dumps(seen))


def application(**options: Any) -> FastAPI:
    """An application whose socket knows its user from the query."""
    app = FastAPI()
    configure_websocket(app, registry=registry, **options)
    app.add_api_websocket_route("/ws/", ws)
    return app


async def ws(websocket: WebSocket, user: str | None = None) -> None:
    await handle_websocket(websocket, user_id=user)


async def ask_authenticate(websocket: WebSocket) -> None:
    await handle_websocket(websocket)


def ask(websocket: WebSocketTestSession, action: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
    websocket.send_json(message(action, payload))
    answer: dict[str, Any] = websocket.receive_json()
    return answer


def talk(client: TestClient, path: str = "/ws/") -> None:
    with client.websocket_connect(path) as websocket:
        assert ask(websocket, "health")["payload"] == {"status": "ok"}


# The README


async def test_the_application_of_the_readme_answers(serve: Serve) -> None:
    (source,) = re.findall(r"```python\n(from fastapi .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    server = serve("app:app", source=source)
    async with server.connect() as client:
        assert (await client.ask("health"))["payload"] == {"status": "ok"}
        said = await client.ask("chat.say", {"room": "lobby", "text": "hi"})
        assert (said["event"], said["payload"]["text"], said["seq"]) == ("chat.said", "hi", 2)
        problem = await client.ask("chat.say", {"room": "lobby"})
        assert [error["pointer"] for error in problem["errors"]] == ["#/payload/text"]
    assert "Traceback" not in server.log


# Users


def current_user_id(token: Annotated[str, Query()] = "") -> int:
    match token:
        case "banned":
            raise Problem("Not you.", code="forbidden")
        case "expired":
            raise Problem("The token has expired.", code="unauthenticated", hint="renew it")
        case "":
            raise Problem("Bring a token.", code="unauthenticated")
        case "0":
            raise HTTPException(401, "No such user.")
        case _:
            return int(token)


@pytest.fixture
def guarded() -> FastAPI:
    app = FastAPI()
    configure_websocket(app, registry=registry, problem_type_base_url="https://example.com/problems")

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket, user_id: int = Depends(current_user_id)) -> None:
        await handle_websocket(websocket, user_id=user_id)

    @app.get("/me")
    async def me(user_id: int = Depends(current_user_id)) -> int:
        return user_id

    return app


def test_a_dependency_gives_the_user(guarded: FastAPI) -> None:
    with TestClient(guarded).websocket_connect("/ws/?token=42") as websocket:
        said = ask(websocket, "chat.say", {"room": "lobby", "text": "hi"})
        assert said["payload"] == {"user_id": 42, "text": "hi"}


@pytest.mark.parametrize(
    ("token", "status", "code"), [("banned", 403, "forbidden"), ("expired", 401, "unauthenticated")]
)
def test_a_problem_in_a_dependency_refuses_the_socket_and_the_request_alike(
    guarded: FastAPI, token: str, status: int, code: str
) -> None:
    client = TestClient(guarded)
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(f"/ws/?token={token}"):
        pass
    over_http = client.get(f"/me?token={token}")
    for response, path in ((refused.value, "/ws/"), (over_http, "/me")):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in response.headers) == (status == 401)
        problem = response.json()
        assert (problem["code"], problem["instance"]) == (code, path)
        assert problem["type"] == f"https://example.com/problems/{code}"
        assert problem.get("hint") == ("renew it" if code == "unauthenticated" else None)


def test_an_http_exception_in_a_dependency_refuses_the_socket_as_fastapi_does(guarded: FastAPI) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, TestClient(guarded).websocket_connect("/ws/?token=0"):
        pass
    assert (refused.value.status_code, refused.value.json()) == (401, {"detail": "No such user."})


def test_a_problem_in_a_route_that_has_accepted_its_socket_is_sent_and_closes_it() -> None:
    app = application()

    @app.websocket("/accepted/")
    async def accepted(websocket: WebSocket) -> None:
        await websocket.accept()
        raise Problem("Not you.", code="forbidden")

    with TestClient(app).websocket_connect("/accepted/") as websocket:
        assert websocket.receive_json()["code"] == "forbidden"
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == 3003


def test_an_exception_handler_of_the_application_for_problems_stays_in_charge() -> None:
    app = FastAPI(exception_handlers={Problem: lambda request, problem: _teapot()})
    configure_websocket(app, registry=registry)

    @app.get("/")
    async def get() -> None:
        raise Problem(code="forbidden")

    assert TestClient(app).get("/").status_code == 418


def _teapot() -> Any:
    from starlette.responses import Response

    return Response(status_code=418)


def test_a_given_user_wins_over_authenticate() -> None:
    app = application(authenticate=lambda info: "from authenticate")
    app.add_api_websocket_route("/authenticate/", ask_authenticate)
    for path, user_id in (("/ws/?user=ada", "ada"), ("/ws/", None), ("/authenticate/", "from authenticate")):
        with TestClient(app).websocket_connect(path) as websocket:
            assert ask(websocket, "whoami")["payload"]["user_id"] == user_id


def test_authenticate_sees_what_the_connection_told() -> None:
    seen: list[ConnectionInfo] = []

    async def authenticate(info: ConnectionInfo) -> str:
        seen.append(info)
        return "ada"

    app = application(authenticate=authenticate)
    app.add_api_websocket_route("/authenticate/", ask_authenticate)
    headers = {"Authorization": "Bearer t0ken", "X-Tenant": "a"}
    with TestClient(app).websocket_connect("/authenticate/?a=1&b=2", headers=headers, subprotocols=["x"]) as websocket:
        ask(websocket, "health")
    (info,) = seen
    assert (info.path, info.query, info.token, info.source) == ("/authenticate/", "a=1&b=2", "t0ken", "bearer")
    assert (info.headers["x-tenant"], info.headers["X-TENANT"], info.subprotocols) == ("a", "a", ("x",))
    assert info.peer == ("testclient", 50000)
    assert info.extras["scope"]["app"] is app
    assert "t0ken" not in repr(info)


@pytest.mark.parametrize("user_id", [3.5, True, b"ada", ["ada"], ""])
def test_a_user_id_that_is_none_is_the_developers_error(user_id: Any) -> None:
    app = FastAPI()

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket) -> None:
        await handle_websocket(websocket, user_id=user_id)

    with pytest.raises((TypeError, ValueError), match="user_id must"), TestClient(app).websocket_connect("/ws/"):
        pass


def test_the_route_gives_an_id_rooms_and_state() -> None:
    app = FastAPI()
    configure_websocket(app, registry=registry)
    state = {"tenant": "a"}

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket) -> None:
        await handle_websocket(websocket, 7, connection_id="desk-7", rooms=["lobby", room("hall")], state=state)

    client = TestClient(app)
    with client.websocket_connect("/ws/") as websocket:
        whoami = ask(websocket, "whoami")
        assert whoami["payload"]["user_id"] == 7
        assert json.loads(whoami["payload"]["text"]) == ["desk-7", ["hall", "lobby"], {"tenant": "a"}]
        assert whoami["recipient_id"] == "desk-7"
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws/"):
            pass
        assert (refused.value.status_code, refused.value.json()["code"]) == (409, "conflict")
    talk(client)


# Refusals


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://testserver.evil.example", "http://testserver:81", "https://testserver"],
)
def test_pages_of_other_origins_are_refused_before_accept(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    client = TestClient(application())
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/ws/", headers={"Origin": origin}),
    ):
        pass
    assert refused.value.status_code == 403
    assert refused.value.json()["code"] == "forbidden"
    (record,) = [record for record in caplog.records if record.name == "wsproto_core.security"]
    assert origin in record.getMessage()
    assert "allowed_origins" in record.getMessage()


@pytest.mark.parametrize(
    ("origin", "allowed"), [("http://testserver", None), ("https://app.example.com", ["https://app.example.com"])]
)
def test_pages_of_the_same_and_of_listed_origins_come_in(origin: str, allowed: list[str] | None) -> None:
    client = TestClient(application(**({} if allowed is None else {"allowed_origins": allowed})))
    with client.websocket_connect("/ws/", headers={"Origin": origin}) as websocket:
        assert ask(websocket, "health")["event"] == "health"


async def accepted_first(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="chat")
    await websocket.send_text("welcome")
    await handle_websocket(websocket)


def test_a_socket_that_the_route_has_accepted_is_served() -> None:
    app = application()
    app.add_api_websocket_route("/accepted/", accepted_first)
    offered = ["wsproto.v1.json", "chat"]
    with TestClient(app).websocket_connect("/accepted/", subprotocols=offered) as websocket:
        assert websocket.accepted_subprotocol == "chat"
        assert websocket.receive_text() == "welcome"
        # The client offered v1, but the route chose another, so it is spoken to in the plain form.
        assert [ask(websocket, "health")["seq"] for _ in range(2)] == [1, 2]


def test_a_socket_that_the_route_has_accepted_is_refused_with_a_problem_and_a_close_code() -> None:
    def authenticate(info: ConnectionInfo) -> str:
        raise Problem("Bring a token.", code="unauthenticated", title="N" + "o" * 200)

    app = application(authenticate=authenticate, problem_type_base_url="https://example.com/problems")
    app.add_api_websocket_route("/accepted/", accepted_first)
    with TestClient(app).websocket_connect("/accepted/") as websocket:
        assert websocket.receive_text() == "welcome"
        problem = websocket.receive_json()
        assert (problem["code"], problem["status"], problem["instance"]) == ("unauthenticated", 401, "/accepted/")
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == 3000
        assert closed.value.reason == "N" + "o" * 122


async def test_refusals_over_a_real_server(serve: Serve) -> None:
    server = serve("tests.adapters.applications.on_fastapi:app")
    tokens: list[tuple[list[str], int, str]] = [
        ([], 401, "unauthenticated"),
        (["access-token", "expired"], 401, "unauthenticated"),
        (["access-token", "banned"], 403, "forbidden"),
    ]
    for subprotocols, status, code in tokens:
        response = await server.refusal("/login/", subprotocols=subprotocols or None)
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = json.loads(response.body or b"")
        assert (problem["status"], problem["code"], problem["instance"]) == (status, code, "/login/")
        assert "Sec-WebSocket-Protocol" not in response.headers
    response = await server.refusal("/ws/", origin="https://evil.example")
    assert (response.status_code, json.loads(response.body or b"")["code"]) == (403, "forbidden")
    assert server.inside()["connections"] == []
    for noise in ("Traceback", "ERROR", "expired", "banned"):
        assert noise not in server.log


def test_a_socket_that_authenticates_later_may_do_nothing_before() -> None:
    def authenticate(info: ConnectionInfo) -> Any:
        return "ada" if info.token == "right" else AUTHENTICATE_LATER if info.token is None else None

    app = application(authenticate=authenticate)
    app.add_api_websocket_route("/later/", ask_authenticate)
    with TestClient(app).websocket_connect("/later/") as websocket:
        assert ask(websocket, "health")["event"] == "health"
        assert ask(websocket, "whoami")["code"] == "unauthenticated"
        assert ask(websocket, "ws.authenticate", {"token": "wrong"})["code"] == "unauthenticated"
        assert ask(websocket, "ws.authenticate", {"token": "right"})["event"] == "ws.authenticated"
        assert ask(websocket, "whoami")["payload"]["user_id"] == "ada"


# The test client


@pytest.fixture(params=["with", "without"])
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    client = TestClient(application())
    if request.param == "without":
        # Each socket lives on an event loop of its own, and no lifespan runs.
        yield client
    else:
        with client:
            yield client


def test_two_sockets_of_the_test_client_reach_each_other(client: TestClient) -> None:
    with client.websocket_connect("/ws/?user=ada") as ada, client.websocket_connect("/ws/?user=bob") as bob:
        assert ask(ada, "chat.say", {"room": "lobby", "text": "one"})["seq"] == 1
        assert ask(bob, "chat.say", {"room": "lobby", "text": "two"})["payload"] == {"user_id": "bob", "text": "two"}
        two = ada.receive_json()
        assert (two["payload"], two["seq"], "req_id" in two) == ({"user_id": "bob", "text": "two"}, 2, False)
        # A third one leaves in between, and takes its loop with it.
        with client.websocket_connect("/ws/") as eve:
            ask(eve, "chat.say", {"room": "lobby", "text": "three"})
            assert [ada.receive_json()["seq"], bob.receive_json()["seq"]] == [3, 2]
        ask(ada, "chat.say", {"room": "lobby", "text": "four"})
        assert bob.receive_json()["payload"]["text"] == "four"


def test_the_test_client_works_again_after_its_lifespan(client: TestClient) -> None:
    app = application()
    talk(TestClient(app))
    with TestClient(app) as first:
        talk(first)
    talk(TestClient(app))
    with TestClient(app) as second:
        talk(second)


def test_routes_of_either_kind_emit(client: TestClient) -> None:
    app: Any = client.app
    hub = hub_of(app)

    @app.post("/async")
    async def emit() -> int:
        return await hub.emit(Said(user_id=None, text="async"), to=room("lobby"))

    @app.post("/sync")
    def emit_sync() -> None:
        hub.emit_sync(Said(user_id=None, text="sync"), to=room("lobby"))

    with client.websocket_connect("/ws/") as websocket:
        ask(websocket, "chat.say", {"room": "lobby", "text": "hi"})
        assert client.post("/async").json() == 1
        assert websocket.receive_json()["payload"]["text"] == "async"
        client.post("/sync")
        assert websocket.receive_json()["payload"]["text"] == "sync"
        hub.emit_sync(Said(user_id=None, text="from the test"), to=room("lobby"))
        assert websocket.receive_json()["payload"]["text"] == "from the test"


def test_leaving_the_test_client_closes_what_is_open() -> None:
    gone: list[int] = []

    async def on_disconnect(context: ActionContext, code: int) -> None:
        gone.append(code)

    with TestClient(application(on_disconnect=on_disconnect)) as client:
        websocket = client.websocket_connect("/ws/").__enter__()
        ask(websocket, "health")
        websocket.__exit__(None, None, None)
    assert gone == [1000]


# Lifespans


def test_the_own_lifespan_of_the_application_is_kept_with_its_state() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        happened.append("up")
        yield {"database": "open"}
        happened.append("down")

    app = FastAPI(lifespan=lifespan)
    hub = configure_websocket(app, registry=registry)

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket) -> None:
        assert websocket.state.database == "open"
        await handle_websocket(websocket, user_id=None)

    with TestClient(app) as client:
        assert happened == ["up"]
        talk(client)
    # What handlers use is there until the last of them has ended.
    assert happened == ["up", "down"]
    assert hub.connections == {}


async def test_connections_end_before_what_the_lifespan_of_the_application_gave() -> None:
    database = {"open": False}
    open_when_gone: list[bool] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database["open"] = True
        yield
        database["open"] = False

    app = FastAPI(lifespan=lifespan)
    hub = configure_websocket(
        app,
        registry=registry,
        on_disconnect=lambda: open_when_gone.append(database["open"]),
        install_signal_handlers=False,
    )
    async with AsyncExitStack() as stack:
        async with app.router.lifespan_context(app):
            client = await stack.enter_async_context(in_memory(hub))
            assert (await client.call("health")).problem is None
        assert await client.closed() == (1012, "The server restarts.")
    assert open_when_gone == [True]


def test_event_handlers_and_lifespans_of_routers_run_too() -> None:
    happened: list[str] = []
    app = FastAPI()
    configure_websocket(app, registry=registry)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        happened.append("router")
        yield

    router = APIRouter(prefix="/chat", lifespan=lifespan)
    router.add_api_websocket_route("/ws/", ws)
    app.include_router(router)
    if hasattr(app.router, "on_startup"):
        app.router.on_startup.append(lambda: happened.append("event"))
    with TestClient(app) as client:
        talk(client, "/chat/ws/")
    assert "router" in happened


def test_a_mounted_application_has_a_hub_of_its_own_and_needs_no_lifespan() -> None:
    outer, inner = application(), application()
    outer.mount("/inner", inner)
    with TestClient(outer) as client:
        with client.websocket_connect("/ws/") as one, client.websocket_connect("/inner/ws/") as two:
            ask(one, "chat.say", {"room": "lobby", "text": "outer"})
            said = ask(two, "chat.say", {"room": "lobby", "text": "inner"})
            assert said["seq"] == 1
            assert ask(one, "health")["seq"] == 2
            assert ask(two, "no.such.action")["instance"] == "/inner/ws/"
        assert hub_of(outer) is not hub_of(inner)


def test_starlette_alone_will_do() -> None:
    app = Starlette(routes=[WebSocketRoute("/ws/", ask_authenticate)])
    configure_websocket(app, registry=registry, authenticate=lambda info: "ada")
    with TestClient(app) as client, client.websocket_connect("/ws/") as websocket:
        assert ask(websocket, "whoami")["payload"]["user_id"] == "ada"


def test_without_configure_websocket_it_works_with_the_defaults() -> None:
    app = FastAPI()
    app.add_api_websocket_route("/ws/", ws)
    client = TestClient(app)
    talk(client)
    with client.websocket_connect("/ws/") as websocket:
        problem = ask(websocket, "no.such.action")
        assert (problem["type"], problem["title"]) == ("about:blank", "Bad Request")
    assert isinstance(hub_of(app), Hub)


def test_the_actions_of_the_calling_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shop_of_the_test"
    (package / "orders").mkdir(parents=True)
    declare = "from wsproto_core import action\n\n@action({!r})\nasync def handler() -> None: ...\n"
    (package / "__init__.py").write_text("")
    (package / "actions.py").write_text(declare.format("shop.open"))
    (package / "orders" / "__init__.py").write_text("")
    (package / "orders" / "actions.py").write_text(declare.format("shop.order"))
    (package / "orders" / "web.py").write_text(
        "from fastapi import FastAPI\nfrom wsproto_fastapi import configure_websocket\n"
        "app = FastAPI()\nhub = configure_websocket(app)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from importlib import import_module

    hub = import_module("shop_of_the_test.orders.web").hub
    try:
        assert {"shop.open", "shop.order"} <= hub.registry.actions.keys()
    finally:
        for each in ("shop.open", "shop.order"):
            hub.registry.actions.pop(each, None) if isinstance(hub.registry.actions, dict) else None


# Mistakes, and what their errors say


@pytest.mark.parametrize("websocket", [None, "ws", FastAPI(), object()])
async def test_handle_websocket_takes_the_websocket_of_a_route(websocket: Any) -> None:
    with pytest.raises(HostError, match="takes the WebSocket of a route, not"):
        await handle_websocket(websocket)


async def test_handle_websocket_needs_an_application_around_it() -> None:
    async def nothing(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(HostError, match="in a route of a FastAPI or Starlette application"):
        await handle_websocket(WebSocket({"type": "websocket"}, nothing, nothing))


def test_configuring_twice_is_refused() -> None:
    app = application()
    with pytest.raises(ConfigurationError, match="already; call it once"):
        configure_websocket(app)


@pytest.mark.parametrize("app", [None, "app", FastAPI, APIRouter()])
def test_configure_websocket_takes_an_application(app: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes a FastAPI or Starlette application, not"):
        configure_websocket(app)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"problem_type_url": "https://example.com"}, "Did you mean 'problem_type_base_url'"),
        ({"allowed_origin": []}, "Did you mean 'allowed_origins'"),
        ({"colour": "red"}, "There are: "),
        ({"allowed_origins": "https://a.example"}, r"\['https://a.example'\]"),
        ({"allowed_origins": ["*"]}, "ANY_ORIGIN"),
        ({"limits": {"inbox": 1}}, "Limits"),
        ({"registry": "default"}, "Registry"),
        ({"require_ids": "no"}, "True or False"),
        ({"authenticate": "ada"}, "function"),
        ({"backplane": "redis"}, "memory://"),
        ({"problem_type_base_url": "example.com"}, "https://"),
    ],
)
def test_options_that_make_no_sense_are_refused_and_leave_the_application_as_it_was(
    options: dict[str, Any], says: str
) -> None:
    app = FastAPI()
    with pytest.raises(ConfigurationError, match=says):
        configure_websocket(app, **options)
    configure_websocket(app, registry=registry)


def test_app_state_that_is_not_ours_is_named() -> None:
    app = application()
    app.state.wsproto_hub = "mine"
    with pytest.raises(ConfigurationError, match="belongs to wsproto-core"):
        talk(TestClient(app))


def test_two_actions_of_one_name_are_refused() -> None:
    own = Registry()
    own.action("chat.say")(say)
    with pytest.raises(DuplicateNameError, match=r"chat\.say"):
        own.action("chat.say")(whoami)


@pytest.mark.parametrize(
    ("hook", "code"), [(Problem("Not now.", status=503, code="unavailable"), 1013), (ValueError("secret"), 1011)]
)
def test_on_connect_may_refuse(hook: Exception, code: int, caplog: pytest.LogCaptureFixture) -> None:
    async def on_connect(context: ActionContext) -> None:
        raise hook

    with TestClient(application(on_connect=on_connect)).websocket_connect("/ws/") as websocket:
        problem = websocket.receive_json()
        assert "secret" not in json.dumps(problem)
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == code
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == (1 if code == 1011 else 0)
