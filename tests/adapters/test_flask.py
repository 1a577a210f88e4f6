"""What Flask users expect of wsproto_flask, on gunicorn with threads."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import InvalidStatus

from tests.adapters.hosts import GUNICORN
from tests.adapters.serving import Server
from tests.adapters.talking import Client, eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = (*GUNICORN, "tests.adapters.applications.on_flask_contexts:app")
    with Server(command, tmp_path_factory.mktemp("flask") / "log", {}) as running:
        yield running


async def test_plain_functions_have_flask_around_them_and_a_fresh_context_per_message(server: Server) -> None:
    async with server.connect(additional_headers={"X-Agent": "test"}) as client:
        before = server.get("/seen")["torn_down"]
        for action in ("plain", "plain", "beside", "required"):
            seen = (await client.ask(action))["payload"]
            assert (seen["path"], seen["agent"], seen["app"]) == ("/ws/", "test", "shop")
            assert (seen["fresh"], seen["rows"]) == (True, 1)
        await eventually(lambda: server.get("/seen")["torn_down"][len(before) :] == ["NoneType"] * 4)


async def test_a_generator_has_one_context_for_all_that_it_yields(server: Server) -> None:
    async with server.connect() as client:
        await client.send("generator")
        assert [(await client.receive())["payload"]["fresh"] for _ in range(2)] == [True, False]


async def test_where_handlers_run(server: Server) -> None:
    async with server.connect() as client:
        await client.ask("plain")  # the first one may have to wait for on_connect
        threads = {
            action: (await client.ask(action))["payload"]["thread"] for action in ("plain", "beside", "coroutine")
        }
    assert threads["plain"].startswith("ThreadPoolExecutor")  # gunicorn's own, which reads the connection
    assert threads["beside"].startswith("wsproto-worker")
    assert threads["coroutine"] == "wsproto-loop"


async def test_the_teardown_is_told_of_an_error(server: Server) -> None:
    async with server.connect() as client:
        assert (await client.ask("failing"))["code"] == "internal_error"
        assert "ValueError" in await eventually(lambda: server.get("/seen")["torn_down"])


async def test_a_plain_function_emits_joins_and_returns_in_order(server: Server) -> None:
    async with server.connect() as client:
        req_id = await client.send("many")
        events = [await client.receive() for _ in range(4)]
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert [event["recipient"] for event in events] == ["websocket", "room", "room", "websocket"]
    assert {event["req_id"] for event in events} == {req_id}


async def test_scopes_are_asked_for(server: Server) -> None:
    async with server.connect() as client:
        assert (await client.ask("scoped"))["code"] == "unauthenticated"


async def test_hooks_that_are_plain_functions_run_where_they_may_block_and_see_flask(server: Server) -> None:
    async with server.connect() as client:
        assert (await client.ask("plain"))["event"] == "seen"
        assert "connected in shop: /ws/" in server.get("/seen")["seen"]
        server.get("/emit")
        assert (await client.receive())["recipient_id"] == "hall"
        await client.websocket.close(4001)
    assert "gone from shop: 4001" in await eventually(lambda: server.get("/seen")["seen"])


@asynccontextmanager
async def connect_silently(server: Server) -> AsyncIterator[Client]:
    """Connect a client that sends nothing, and wait until `on_connect` has put it into the hall."""
    before = server.get("/seen")["seen"].count("connected in shop: /ws/")
    async with server.connect() as client:
        await eventually(lambda: server.get("/seen")["seen"].count("connected in shop: /ws/") > before)
        yield client


@pytest.mark.parametrize("path", ["/emit", "/emit-from-a-thread"])
async def test_a_view_emits_to_a_client_that_is_silent(server: Server, path: str) -> None:
    async with connect_silently(server) as client:
        server.get(path)
        assert (await client.receive())["recipient_id"] == "hall"


@pytest.mark.parametrize("action", ["tell", "tell_coroutine"])
async def test_a_client_that_is_silent_hears_of_other_connections(server: Server, action: str) -> None:
    async with connect_silently(server) as silent, server.connect() as other:
        told = [await other.ask(action) for _ in range(3)]
        heard = [await silent.receive() for _ in told]
    assert [each["msg_id"] for each in heard] == [each["msg_id"] for each in told]
    assert [each["seq"] for each in heard] == [1, 2, 3]


async def test_a_route_may_answer_with_http_instead(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/refused/"):
            pass
    assert refused.value.response.status_code == 418


async def test_a_request_that_is_no_handshake_is_told_so(server: Server) -> None:
    request = b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 426 ")
    assert b"sec-websocket-version: 13" in head.lower()
    writer.close()


async def test_an_exempt_socket_is_left_to_flask_sock(server: Server) -> None:
    async with server.connect("/raw/", subprotocols=["raw"], origin="https://evil.example") as client:
        await client.websocket.send("hi")
        assert await client.websocket.recv() == "raw: hi"


async def test_another_socket_works_as_before(server: Server) -> None:
    async with server.connect("/own/", subprotocols=["raw"]) as client:
        assert client.websocket.subprotocol == "raw"
        for each in ("one", "two"):
            await client.websocket.send(each)
            assert await client.websocket.recv() == each
    async with server.connect("/idle/") as client:
        assert (await client.closed())[0] == 1000


async def test_a_route_may_have_a_word_of_its_own_first(server: Server) -> None:
    async with server.connect("/after/") as client:
        await client.websocket.send("hello")
        assert await client.websocket.recv() == "hello"
        for _ in range(3):
            assert (await client.ask("plain"))["event"] == "seen"
        server.get("/emit")
        assert (await client.receive())["event"] == "seen"


async def test_pings_are_sent_and_a_client_that_does_not_answer_is_found(server: Server) -> None:
    async with server.connect() as client:
        assert (await client.ask("plain"))["event"] == "seen"
        # Longer than two of the pings of this server: whoever answers them stays.
        done, _ = await asyncio.wait([asyncio.ensure_future(client.websocket.recv())], timeout=0.6)
        assert not done
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(10):
        rest = await reader.readuntil(b"No answer to a ping")
    assert rest.startswith(b"\x89\x00")
    writer.close()


async def test_a_problem_of_a_view_is_answered_as_one(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /problem HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 409 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "room_full"
    writer.close()
