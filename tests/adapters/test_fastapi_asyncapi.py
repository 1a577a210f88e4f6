"""What FastAPI and Starlette applications document: their own sockets, others', and what lets in."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query, WebSocket
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2PasswordBearer,
)
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute

from wsproto_asgi import WebSocketApp, run_websocket
from wsproto_core import ANY_ORIGIN, Problem, Registry
from wsproto_fastapi import WebSocketOAuth2PasswordBearer, configure_websocket, handle_websocket


async def served(websocket: WebSocket) -> None:
    """Serve it."""
    await handle_websocket(websocket)


async def helper(websocket: WebSocket) -> None:
    await served(websocket)


async def foreign(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("mine")
    await websocket.close()


def kinds(document: dict[str, Any]) -> dict[str, str]:
    return {each["address"]: each["x-wsproto-kind"] for each in document["channels"].values()}


def client_of(app: Starlette, **options: Any) -> TestClient:
    configure_websocket(app, registry=Registry(), **options)
    return TestClient(app)


def test_routes_routers_and_mounts_are_told_apart() -> None:
    app = FastAPI()
    inner, outer = APIRouter(), APIRouter(prefix="/outer")
    hub = configure_websocket(app, registry=Registry())

    @inner.websocket("/ws/{room:path}")
    async def through_a_helper(websocket: WebSocket, room: str) -> None:
        """Of a room.

        Which may be deep.
        """
        await helper(websocket)

    inner.websocket("/raw")(foreign)
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/v1")

    class Endpoint(WebSocketEndpoint):
        async def on_connect(self, websocket: WebSocket) -> None:
            await handle_websocket(websocket)

    app.router.routes.append(WebSocketRoute("/class", Endpoint))
    app.websocket("/foreign")(foreign)
    app.router.routes.append(Mount("/routes", routes=[WebSocketRoute("/in", helper)]))
    app.router.routes.append(Host("sub.example.com", Starlette(routes=[WebSocketRoute("/host", helper)])))
    sub = FastAPI()
    sub.websocket("/ws/")(helper)
    app.mount("/sub", sub)
    app.mount("/same", WebSocketApp(hub=hub, path="/ws/"))
    app.mount("/other", WebSocketApp(registry=Registry()))
    document = hub.asyncapi()
    assert kinds(document) == {
        "/v1/outer/inner/ws/{room}": "socket",
        "/v1/outer/inner/raw": "foreign",
        "/class": "socket",
        "/foreign": "foreign",
        "/routes/in": "socket",
        "/host": "foreign",
        "/sub/ws/": "foreign",
        "/same/ws/": "socket",
        "/other/": "foreign",
        "/ws/": "socket",
    }
    channel = document["channels"]["v1.outer.inner.ws.room"]
    assert (channel["title"], channel["description"]) == ("through_a_helper", "Of a room.\n\nWhich may be deep.")
    assert "parameters" in channel


def test_an_endpoint_of_asgi_is_known_too() -> None:
    async def bare(websocket: WebSocket) -> None:
        await run_websocket(hub, websocket.scope, websocket.receive, websocket.send)

    app = Starlette(routes=[WebSocketRoute("/bare", bare), WebSocketRoute("/foreign", foreign)])
    hub = configure_websocket(app, registry=Registry())
    assert kinds(hub.asyncapi()) == {"/bare": "socket", "/foreign": "foreign"}


def test_foreign_sockets_work_as_before() -> None:
    app = FastAPI()
    app.websocket("/foreign")(foreign)
    with client_of(app).websocket_connect("/foreign") as socket:
        assert socket.receive_text() == "mine"


def test_what_the_application_calls_itself_is_the_default() -> None:
    contact, licence = {"name": "Ada", "url": "https://example.com"}, {"name": "MIT", "identifier": "MIT"}
    app = FastAPI(title="Chat", version="3", summary="Short.", contact=contact, license_info=licence)
    client = client_of(app, version="4")
    assert client.get("/asyncapi.json").json()["info"] == {
        "title": "Chat",
        "version": "4",
        "description": "Short.",
        "contact": contact,
        "license": {"name": "MIT"},
    }
    assert client_of(Starlette()).get("/asyncapi.json").json()["info"]["title"] == "WebSocket API"


class Colour(Enum):
    RED = "red"


def test_the_handshake_is_what_dependencies_ask_for() -> None:
    app = FastAPI()

    def settings(
        colour: Colour, x_trace: Annotated[str | None, Header()] = None, c: Annotated[str, Cookie()] = ""
    ) -> None:
        """Ask for more."""

    @app.websocket("/ws/", dependencies=[Depends(settings)])
    async def ws(websocket: WebSocket, page: Annotated[int, Query(ge=1)], size: int = 5) -> None:
        await handle_websocket(websocket)

    binding = client_of(app).get("/asyncapi.json").json()["channels"]["ws"]["bindings"]["ws"]
    assert binding["query"]["required"] == ["colour", "page"]
    assert binding["query"]["properties"]["page"]["minimum"] == 1
    assert (
        binding["query"]["properties"]["colour"] == {"type": "string"}
        or "enum" in binding["query"]["properties"]["colour"]
    )
    assert set(binding["query"]["properties"]) == {"colour", "page", "size"}
    assert "x-trace" in binding["headers"]["properties"]


@pytest.mark.parametrize(
    ("scheme", "name", "expected"),
    [
        (
            APIKeyCookie(name="sid"),
            "APIKeyCookie",
            {"type": "httpApiKey", "in": "cookie", "name": "sid", "x-wsproto-way": "cookie"},
        ),
        (
            APIKeyQuery(name="key"),
            "APIKeyQuery",
            {"type": "httpApiKey", "in": "query", "name": "key", "x-wsproto-way": "query"},
        ),
        (
            APIKeyHeader(name="x-key", description="Ours."),
            "APIKeyHeader",
            {"type": "httpApiKey", "in": "header", "name": "x-key", "description": "Ours."},
        ),
        (HTTPBasic(), "HTTPBasic", {"type": "http", "scheme": "basic", "x-wsproto-way": "basic"}),
        (
            HTTPBearer(bearerFormat="JWT"),
            "HTTPBearer",
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "x-wsproto-way": "bearer"},
        ),
        (
            OAuth2PasswordBearer("/token"),
            "OAuth2PasswordBearer",
            {"type": "http", "scheme": "bearer", "x-wsproto-way": "bearer"},
        ),
        (
            WebSocketOAuth2PasswordBearer(tokenUrl="/token"),
            "WebSocketOAuth2PasswordBearer",
            {"type": "http", "scheme": "bearer"},
        ),
        (HTTPDigest(), "HTTPDigest", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_lets_in_is_what_dependencies_ask_for(scheme: Any, name: str, expected: dict[str, Any] | None) -> None:
    app = FastAPI()

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket, credential: Annotated[Any, Depends(scheme)]) -> None:
        await handle_websocket(websocket)

    schemes = client_of(app).get("/asyncapi.json").json()["components"].get("securitySchemes", {})
    found = schemes.get(name)
    assert (found is None) == (expected is None)
    assert {key: found[key] for key in expected or ()} == (expected or {})
    assert ("subprotocol" in schemes) == ("OAuth2" in name)


def text(_: Any = None) -> PlainTextResponse:
    return PlainTextResponse("mine")


@pytest.mark.parametrize("router", [False, True], ids=["app", "router"])
def test_the_applications_own_routes_come_first(router: bool) -> None:
    app = FastAPI()
    client = client_of(app, problem_pages_url="/problems")
    target: Any = APIRouter() if router else app
    target.get("/asyncapi")(lambda: "mine")
    target.get("/problems/conflict")(lambda: "mine")
    target.post("/asyncapi.json")(lambda: "posted")
    if router:
        app.include_router(target)
    assert client.get("/asyncapi").json() == "mine"
    assert client.get("/problems/conflict").json() == "mine"
    assert client.post("/asyncapi.json").json() == "posted"
    assert client.get("/asyncapi.json").json()["asyncapi"] == "3.1.0"
    assert client.get("/problems/forbidden").status_code == 200


def test_routes_that_match_everything_do_not() -> None:
    app = FastAPI()
    client = client_of(app, problem_pages_url="/problems")
    app.get("/{path:path}")(lambda path: path)
    app.router.routes.append(Mount("/", app=Starlette(routes=[Route("/x", text)])))
    assert client.get("/asyncapi").text.startswith("<!doctype html>")
    assert client.get("/problems/conflict").text.startswith("<!doctype html>")
    assert client.get("/anything").json() == "anything"
    assert client.get("/problems/there-is-not").status_code in {200, 404}


def test_fastapis_own_documentation_goes_on() -> None:
    app = FastAPI()
    client = client_of(app)
    app.get("/hello")(lambda: "hi")
    assert client.get("/docs").status_code == 200
    assert list(client.get("/openapi.json").json()["paths"]) == ["/hello"]
    assert all(hasattr(route, "path") for route in app.routes)


@pytest.mark.parametrize(
    ("make", "prefix"),
    [
        (lambda app: TestClient(app, root_path="/api"), ""),
        (lambda app: TestClient(Starlette(routes=[Mount("/api", app)])), "/api"),
    ],
    ids=["behind a proxy", "mounted"],
)
def test_urls_are_right_below_a_prefix(make: Callable[[Any], TestClient], prefix: str) -> None:
    app = FastAPI()
    app.websocket("/ws/")(served)
    configure_websocket(app, registry=Registry())
    client = make(app)
    assert list(kinds(client.get(f"{prefix}/asyncapi.json").json())) == ["/api/ws/"]
    page = client.get(f"{prefix}/asyncapi").text
    assert '"/api/asyncapi.json"' in page
    assert 'src="/api/asyncapi.js"' in page


@pytest.mark.parametrize("path", ["/asyncapi", "/asyncapi.json", "/asyncapi.js", "/problems"])
def test_a_root_path_that_paths_begin_with_by_chance_is_no_part_of_them(path: str) -> None:
    app = FastAPI()
    configure_websocket(app, registry=Registry(), problem_pages_url="/problems")
    client = TestClient(app, root_path=path[:2])
    assert client.get("/docs").status_code == 200
    assert client.get(path).status_code == 200
    app.get(path)(lambda: "mine")
    assert client.get(path).json() == "mine"


def test_a_prefix_of_the_clients_choice_is_no_template() -> None:
    app = FastAPI()
    configure_websocket(app, registry=Registry())
    client = TestClient(Starlette(routes=[Mount("/{tenant}", app)]))
    page = client.get("/a%5Cg/asyncapi")
    assert page.status_code == 200
    assert r'href="/a\g/asyncapi.css"' in page.text


def test_what_is_switched_off_is_not_there() -> None:
    client = client_of(FastAPI(), asyncapi_url=None, docs_url=None)
    assert {client.get(path).status_code for path in ("/asyncapi", "/asyncapi.json", "/asyncapi.yaml")} == {404}
    client = client_of(FastAPI(), asyncapi_url="/contract.json", docs_url="/contract")
    assert client.get("/contract.json").status_code == client.get("/contract").status_code == 200
    assert client.get("/asyncapi").status_code == 404


def test_who_may_read_it_is_asked() -> None:
    def ada(info: Any) -> bool:
        if info.token is None:
            raise Problem("Log in first.", code="unauthenticated")
        return bool(info.token == "ada")

    client = client_of(FastAPI(), authorize_docs=ada, allowed_origins=ANY_ORIGIN)
    assert client.get("/asyncapi").status_code == 401
    assert client.get("/asyncapi", headers={"Authorization": "Bearer bob"}).status_code == 403
    assert client.get("/asyncapi", headers={"Authorization": "Bearer ada"}).status_code == 200
