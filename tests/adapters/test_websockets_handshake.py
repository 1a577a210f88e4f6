"""The opening handshake of wsproto_websockets: who gets in, who is answered with HTTP instead, and under which name."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Request, Response

from tests.adapters.talking import Client, eventually
from wsproto_core import ActionContext, ConnectionInfo, Event, Limits, Problem, Registry
from wsproto_core.hub import Hub
from wsproto_websockets import Server, basic_auth, serve

V1 = "wsproto.v1.json"

registry = Registry()


class Me(Event, name="me"):
    user_id: int | str | None


@registry.action("whoami")
async def whoami(context: ActionContext) -> Me:
    return Me(user_id=context.user_id)


def local(**options: Any) -> Server:
    return serve("127.0.0.1", 0, registry=registry, install_signal_handlers=False, **options)


def port(server: Server) -> int:
    number: int = server.sockets[0].getsockname()[1]
    return number


@asynccontextmanager
async def connected(server: Server, path: str = "/", **options: Any) -> AsyncIterator[Client]:
    async with connect(f"ws://127.0.0.1:{port(server)}{path}", proxy=None, **options) as websocket:
        yield Client(websocket)


async def refused(server: Server, path: str = "/", **options: Any) -> Response:
    """Connect, which must be answered with HTTP; return the response."""
    with pytest.raises(InvalidStatus) as caught:
        async with connected(server, path, **options):
            pass
    return caught.value.response


def problem(response: Response) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.body)
    assert document["status"] == response.status_code
    return document


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def places(hub: Hub) -> int:
    """How many connections are on their way in."""
    return len(hub.gate._reserved)


async def test_with_a_path_every_other_one_is_not_found() -> None:
    async with local(path="/café/", problem_type_base_url="https://example.com/problems") as server:
        async with connected(server, "/caf%C3%A9/?room=1") as client:
            assert await client.is_served()
        response = await refused(server, "/cafe/")
        assert problem(response)["instance"] == "/cafe/"
        assert response.status_code == 404


async def test_the_applications_own_answers_come_first() -> None:
    async def health(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(200, "OK\n") if request.path == "/healthz" else None

    def greet(connection: ServerConnection, request: Request, response: Response) -> None:
        response.headers["X-Greeting"] = "hello"

    async with local(path="/ws/", process_request=health, process_response=greet) as server:
        response = await refused(server, "/healthz")
        assert (response.status_code, response.body) == (200, b"OK\n")
        async with connected(server, "/ws/") as client:
            assert client.websocket.response is not None
            assert client.websocket.response.headers["X-Greeting"] == "hello"


async def test_the_user_of_basic_auth_is_the_user() -> None:
    def never(info: ConnectionInfo) -> None:
        raise AssertionError("the user is known")

    async with local(process_request=basic_auth("tests", ("ada", "s3cret")), authenticate=never) as server:
        async with connected(server, additional_headers=basic("ada:s3cret")) as client:
            assert (await client.ask("whoami"))["payload"] == {"user_id": "ada"}
        response = await refused(server, additional_headers=basic("ada:wrong"))
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (
            401,
            'Basic realm="tests", charset="UTF-8"',
        )


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_authenticate_is_asked_with_the_token(asynchronous: bool) -> None:
    def authenticate(info: ConnectionInfo) -> str:
        if info.token != "s3cret":
            raise Problem("Bring a token.", code="unauthenticated")
        return f"{info.source} {info.scheme} {info.peer is not None}"

    async def later(info: ConnectionInfo) -> str:
        await asyncio.sleep(0)
        return authenticate(info)

    async with local(authenticate=later if asynchronous else authenticate) as server:
        async with connected(server, additional_headers={"Authorization": "Bearer s3cret"}) as client:
            assert (await client.ask("whoami"))["payload"] == {"user_id": "bearer ws True"}
        response = await refused(server, "/ws/")
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["Server"].startswith("Python")
        assert (problem(response)["code"], problem(response)["instance"]) == ("unauthenticated", "/ws/")


async def test_foreign_origins_are_refused_and_the_librarys_origins_take_their_place() -> None:
    async with local() as server:
        own = f"http://127.0.0.1:{port(server)}"
        async with connected(server, origin=own) as client:
            assert await client.is_served()
        for foreign in ("https://evil.example", f"{own}.evil.example", "null"):
            response = await refused(server, origin=foreign)
            assert (response.status_code, problem(response)["code"]) == (403, "forbidden")
        assert server.hub.stats().counters == {"refused": 3}
    async with local(origins=["https://app.example"]) as server:
        async with connected(server, origin="https://app.example") as client:
            assert await client.is_served()
        assert (await refused(server, origin="https://evil.example")).status_code == 403
        assert (await refused(server)).status_code == 403


async def test_there_are_as_many_connections_as_the_limit_says() -> None:
    async with local(limits=Limits(max_connections=1)) as server:
        async with connected(server):
            response = await refused(server)
            assert (response.status_code, problem(response)["code"]) == (503, "unavailable")
        await eventually(lambda: not server.hub.connections)
        async with connected(server) as client:
            assert await client.is_served()


async def test_a_place_is_given_back_when_the_handshake_fails_after_all(caplog: pytest.LogCaptureFixture) -> None:
    gates: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def process_response(connection: ServerConnection, request: Request, response: Response) -> Response | None:
        if request.path == "/no":
            return connection.respond(418, "No.\n")
        if request.path == "/broken":
            raise ValueError("the hook fails")
        if request.path == "/slow":
            gate = asyncio.Event()
            await gates.put(gate)
            await gate.wait()
        return None

    async with local(process_response=process_response, limits=Limits(max_connections=1)) as server:
        assert (await refused(server, "/no")).status_code == 418
        assert (await refused(server, "/broken")).status_code == 500
        vanishing = asyncio.create_task(refused(server, "/slow"))
        gate = await gates.get()
        assert places(server.hub) == 1
        vanishing.cancel()
        with pytest.raises((asyncio.CancelledError, InvalidHandshake)):
            await vanishing
        gate.set()
        await eventually(lambda: not places(server.hub))
        async with connected(server) as client:
            assert await client.is_served()


async def test_what_fails_in_authenticate_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def authenticate(info: ConnectionInfo) -> None:
        raise ValueError("the secret of the database")

    async with local(authenticate=authenticate) as server:
        response = await refused(server)
        assert response.status_code == 500
        assert b"secret" not in response.body
    assert "the secret of the database" in caplog.text


async def test_a_token_that_is_none_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    async with local() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: access-token, s3cret=(x)\r\n\r\n"
        )
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"s3cret" not in answer
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["superchat"], None),
        (["chat", V1], V1),
        (["access-token", "chat"], "access-token"),
        (["access-token", "t0ken", "chat"], "chat"),
        (["chat"], "chat"),
    ],
)
@pytest.mark.parametrize("how", ["list", "function"])
async def test_the_applications_own_subprotocols_come_after_ours(
    how: str, offered: list[str], chosen: str | None
) -> None:
    asked: list[list[str]] = []

    def select(connection: ServerConnection, subprotocols: list[str]) -> str | None:
        asked.append(list(subprotocols))
        return "chat" if "chat" in subprotocols else None

    options: dict[str, Any] = {"subprotocols": ["chat"]} if how == "list" else {"select_subprotocol": select}
    async with local(**options) as server:
        if how == "list" and chosen is None:
            # The library's rule: who names subprotocols wants one of them.
            assert (await refused(server, subprotocols=offered or None)).status_code == 400
        else:
            async with connected(server, subprotocols=offered or None) as client:
                assert client.websocket.subprotocol == chosen
                if chosen == V1:
                    assert (await client.receive())["event"] == "ws.ready"
                assert (await client.receive() if await client.send("health") else {})["event"] == "health"
    assert all("t0ken" not in each and "access-token" not in each for each in asked)


async def test_a_request_that_is_no_handshake_is_asked_nothing() -> None:
    def never(info: ConnectionInfo) -> None:
        raise AssertionError("this is no handshake")

    async with local(authenticate=never) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 426 ")
        writer.close()
