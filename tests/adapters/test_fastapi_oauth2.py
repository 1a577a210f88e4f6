"""FastAPI's bearer tokens in WebSocket routes: from where they are taken, and what is answered without one."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.security import OAuth2PasswordBearer
from starlette.testclient import TestClient, WebSocketDenialResponse

from tests.adapters.conftest import Serve
from tests.interpreter import run_python
from wsproto_core import Registry
from wsproto_core.testing.conformance import conformance_registry
from wsproto_fastapi import WebSocketOAuth2PasswordBearer, configure_websocket, handle_websocket

APPLICATION = """
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket
from wsproto_core import Event, ActionContext, action
from wsproto_fastapi import WebSocketOAuth2PasswordBearer, configure_websocket, handle_websocket

app = FastAPI()
configure_websocket(app)
bearer = WebSocketOAuth2PasswordBearer(tokenUrl="/token")
optional = WebSocketOAuth2PasswordBearer(tokenUrl="/token", auto_error=False)


class Me(Event, name="me"):
    user_id: str | None


@action("whoami")
async def whoami(context: ActionContext) -> Me:
    return Me(user_id=context.user_id and "user-of-" + context.user_id[-1])


@app.websocket("/ws/")
async def ws(websocket: WebSocket, token: Annotated[str, Depends(bearer)]) -> None:
    await handle_websocket(websocket, user_id=token)


@app.websocket("/optional/")
async def maybe(websocket: WebSocket, token: Annotated[str | None, Depends(optional)]) -> None:
    await handle_websocket(websocket, user_id=token)
"""
BASIC = {"Authorization": "Basic YWRhOnMzY3JldA=="}


def application(registry: Registry | None = None, **options: Any) -> FastAPI:
    app = FastAPI()
    configure_websocket(app, registry=registry or conformance_registry())
    bearer = WebSocketOAuth2PasswordBearer("/token", **options)

    @app.get("/me")
    async def me(token: Annotated[str | None, Depends(bearer)]) -> str | None:
        return token

    @app.websocket("/ws/")
    async def ws(websocket: WebSocket, token: Annotated[str | None, Depends(bearer)]) -> None:
        await handle_websocket(websocket, user_id=token)

    return app


async def test_a_real_server_takes_it_both_ways_and_refuses_before_it_accepts(serve: Serve) -> None:
    server = serve("app:app", source=APPLICATION)
    for options in (
        {"additional_headers": {"Authorization": "bearer s3cret-a"}},
        {"subprotocols": ["access-token", "s3cret-a"]},
        {"subprotocols": ["wsproto.v2.unknown", "access-token", "s3cret-a"]},
    ):
        for path in ("/ws/", "/optional/"):
            async with server.connect(path, **options) as client:
                assert (await client.ask("whoami"))["payload"]["user_id"] == "user-of-a"
                assert client.websocket.response is not None
                assert "s3cret" not in str(client.websocket.response.headers)
    wrong: tuple[dict[str, Any], ...] = (
        {},
        {"additional_headers": BASIC},
        {"additional_headers": {"Authorization": "Bearer "}},
        {"additional_headers": {"Authorization": "s3cret-a"}},
        {"subprotocols": ["access-token"]},
    )
    for options in wrong:
        response = await server.refusal("/ws/", **options)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert response.headers["content-type"] == "application/problem+json"
        assert b'"unauthenticated"' in (response.body or b"")
        async with server.connect("/optional/", **options) as client:
            assert (await client.ask("whoami"))["payload"]["user_id"] is None
    assert "s3cret" not in server.log
    assert "Traceback" not in server.log


def test_a_route_of_http_has_it_too() -> None:
    client = TestClient(application())
    assert client.get("/me", headers={"Authorization": "Bearer t0ken"}).json() == "t0ken"
    for headers in ({}, BASIC, {"Sec-WebSocket-Protocol": "access-token, t0ken"}):
        answer = client.get("/me", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["code"] == "unauthenticated"
        assert TestClient(application(auto_error=False)).get("/me", headers=headers).json() is None


def test_the_test_client_sees_what_a_client_sees() -> None:
    client = TestClient(application())
    with client.websocket_connect("/ws/", subprotocols=["access-token", "t0ken"]) as websocket:
        assert websocket.accepted_subprotocol == "access-token"
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws/"):
        pass
    assert refused.value.status_code == 401


def test_openapi_shows_it_as_it_shows_its_base_class() -> None:
    documents = []
    for kind in (OAuth2PasswordBearer, WebSocketOAuth2PasswordBearer):
        app = FastAPI()
        bearer = kind("/token", scheme_name="chat", scopes={"read": "to read"}, description="of the chat")

        @app.get("/me")
        async def me(token: Annotated[str, Depends(bearer)]) -> str:
            return token

        documents.append(app.openapi())
    assert documents[0] == documents[1]
    assert documents[1]["components"]["securitySchemes"]["chat"]["flows"]["password"]["tokenUrl"] == "/token"
    assert "WebSocketOAuth2PasswordBearer" in application().openapi()["components"]["securitySchemes"]


def test_all_else_works_with_starlette_alone() -> None:
    code = (
        "import sys\nsys.modules['fastapi'] = None\nsys.modules['fastapi.security'] = None\n"
        "import wsproto_fastapi\nwsproto_fastapi.handle_websocket\n"
        "try:\n    wsproto_fastapi.WebSocketOAuth2PasswordBearer\nexcept ModuleNotFoundError as error:\n"
        "    print(error)\n"
        "print(hasattr(wsproto_fastapi, 'Nothing'))"
    )
    assert run_python(code).splitlines() == [
        "WebSocketOAuth2PasswordBearer needs FastAPI, which is not installed: pip install 'wsproto-core[fastapi]'.",
        "False",
    ]
