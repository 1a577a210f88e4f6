"""The gateway on an ASGI server, over real sockets: what goes through, what does not, and how each side ends."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.adapters.gateways import (
    client,
    ended,
    gateway,
    headers_at,
    problem_of,
    process_service,
    raw_service,
    seen_by_service,
    service,
    settled,
    unused_port,
)
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, eventually

MIB = 1024 * 1024


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a gateway that ends with the test."""
    with ExitStack() as running:
        yield lambda target, **options: running.enter_context(gateway(tmp_path, target, **options))


@pytest.fixture(params=["uvicorn", "uvicorn-wsproto", "hypercorn", "granian"])
def asgi(request: pytest.FixtureRequest) -> str:
    """An ASGI server."""
    name: str = request.param
    return name


@pytest.fixture(params=["uvicorn", "uvicorn-wsproto", "hypercorn"])
def frank(request: pytest.FixtureRequest) -> str:
    """An ASGI server that says what its clients do: granian writes ahead, and tells of no leaving before accept."""
    name: str = request.param
    return name


async def test_text_and_binary_go_both_ways_and_keep_their_kind(start: Callable[..., Server], asgi: str) -> None:
    async with service() as behind, client(start(behind.url, server=asgi).url("/")) as here:
        for message in ("łódź ❤", b"\x00\xff", "", b"", "a" * 500_000, os.urandom(500_000)):
            await here.send(message)
            assert await here.recv() == message


async def test_fragmented_messages_arrive_whole(start: Callable[..., Server], asgi: str) -> None:
    async def answer(connection: ServerConnection) -> None:
        received = await connection.recv()
        # Of binary data, in as many fragments as it came in.
        await connection.send([received[at : at + 1000] for at in range(0, len(received), 1000)])
        await connection.wait_closed()

    whole = os.urandom(300_000)
    async with service(answer) as behind, client(start(behind.url, server=asgi).url("/")) as here:
        await here.send([whole[at : at + 7000] for at in range(0, len(whole), 7000)])
        assert await here.recv() == whole


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "done"), (1001, ""), (1008, "no"), (1011, "łódź"), (1012, "restart"), (4321, "own")]
)
async def test_close_codes_of_the_service_reach_the_client(
    start: Callable[..., Server], asgi: str, code: int, reason: str
) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(code, reason)

    async with service(close) as behind, client(start(behind.url, server=asgi).url("/")) as here:
        assert await here.recv() == "last words"
        assert await ended(here) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), [(1000, "done"), (1001, ""), (3000, "łódź"), (4999, "own")])
async def test_close_codes_of_the_client_reach_the_service(
    start: Callable[..., Server], code: int, reason: str
) -> None:
    codes: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def wait(connection: ServerConnection) -> None:
        codes.put_nowait(await ended(connection))

    async with service(wait) as behind, client(start(behind.url).url("/")) as here:
        await here.close(code, reason)
        async with asyncio.timeout(PATIENCE):
            assert await codes.get() == (code, reason)


async def test_codes_that_may_not_be_sent_are_translated(start: Callable[..., Server]) -> None:
    codes: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def wait(connection: ServerConnection) -> None:
        if connection.request is not None and connection.request.path == "/first":
            # A close frame without a code, 1005 to whoever reads it.
            connection.transport.write(Frame(Opcode.CLOSE, b"").serialize(mask=False))
        codes.put_nowait(await ended(connection))

    async with service(wait) as behind:
        server = start(behind.url, forward_path=True)
        async with client(server.url("/first")) as here:
            assert await ended(here) == (1000, "")
            await codes.get()
        async with client(server.url("/")) as here:
            here.transport.write(Frame(Opcode.CLOSE, b"").serialize(mask=True))
            async with asyncio.timeout(PATIENCE):
                assert await codes.get() == (1000, "")
        async with client(server.url("/")) as here:
            # No close frame at all.
            reset(here.transport.get_extra_info("socket"))
            here.transport.abort()
            async with asyncio.timeout(PATIENCE):
                assert await codes.get() == (1001, "The client is gone.")


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


async def test_messages_sent_just_before_the_end_arrive(start: Callable[..., Server], asgi: str) -> None:
    arrived: list[Any] = []
    over = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        for number in range(200):
            await connection.send(f"{number}")
        await connection.close(4000, "enough")

    async def listen(connection: ServerConnection) -> None:
        if connection.request is not None and connection.request.path == "/talk":
            await talk(connection)
            return
        try:
            while True:
                arrived.append(await connection.recv())
        except ConnectionClosed:
            over.set()

    async with service(listen) as behind:
        server = start(behind.url, server=asgi, forward_path=True)
        async with client(server.url("/talk")) as here:
            received = [await here.recv() for _ in range(200)]
            assert received == [f"{number}" for number in range(200)]
            assert await ended(here) == (4000, "enough")
        async with client(server.url("/listen")) as here:
            for number in range(200):
                await here.send(f"{number}")
            await here.close(4001, "enough")
        async with asyncio.timeout(PATIENCE):
            await over.wait()
        assert arrived == [f"{number}" for number in range(200)]


# What goes through at the handshake


HANDSHAKE = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}


async def test_only_named_headers_go_on(start: Callable[..., Server]) -> None:
    sent = [
        ("Cookie", "session=secret"), ("Authorization", "Bearer secret"), ("X-Trace", "1"), ("X-Trace", "2"),
        ("X-Other", "no"), ("Accept-Language", "pl"), ("X-User-Id", "forged"), ("TE", "trailers"),
        ("X-Real-IP", "1.2.3.4"), ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
    ]  # fmt: skip
    async with service(headers_at) as behind:
        # uvicorn itself trusts proxies of this machine by default, and takes their word for who the client is.
        named = ["X-Trace", "accept-language", "x-user-id"]
        server = start(behind.url, forward_headers=named, headers={"X-User-Id": "7"}, server="hypercorn")
        path, headers = await seen_by_service(server.url("/somewhere?token=secret"), additional_headers=sent)
        host = f"127.0.0.1:{server.port}"
        assert path == "/"
        assert [each for each in headers if each[0] not in HANDSHAKE] == [
            ("x-trace", "1"),
            ("x-trace", "2"),
            ("accept-language", "pl"),
            ("x-user-id", "7"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", host),
            ("forwarded", f'for=127.0.0.1;proto=http;host="{host}"'),
        ]
        assert ("host", behind.url.removeprefix("ws://")) in headers


async def test_cookies_and_authorization_go_on_when_named(start: Callable[..., Server]) -> None:
    sent = {"Cookie": "a=b; c=d", "Authorization": "Bearer t"}
    async with service(headers_at) as behind:
        server = start(behind.url, forward_headers=["cookie", "authorization"])
        _, headers = await seen_by_service(server.url("/"), additional_headers=sent)
        assert {("cookie", "a=b; c=d"), ("authorization", "Bearer t")} <= set(headers)


async def test_what_a_trusted_proxy_said_is_continued(start: Callable[..., Server]) -> None:
    sent = {
        "X-Forwarded-For": "203.0.113.7, 2001:db8::1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "chat.example.com",
    }
    async with service(headers_at) as behind:
        server = start(behind.url, trust_forwarded=True, server="hypercorn")
        _, headers = await seen_by_service(server.url("/"), additional_headers=sent)
        values = dict(headers)
        assert values["x-forwarded-for"] == "203.0.113.7, 2001:db8::1, 127.0.0.1"
        assert values["x-forwarded-proto"] == "https"
        assert values["x-forwarded-host"] == "chat.example.com"
        host = f"127.0.0.1:{server.port}"
        assert values["forwarded"] == (f'for=203.0.113.7, for="[2001:db8::1]", for=127.0.0.1;proto=http;host="{host}"')
        _, headers = await seen_by_service(server.url("/"), additional_headers={"Forwarded": "for=_hidden"})
        assert dict(headers)["forwarded"] == f'for=_hidden, for=127.0.0.1;proto=http;host="{host}"'


async def test_subprotocols_are_offered_to_the_service_and_its_choice_is_the_answer(
    start: Callable[..., Server], asgi: str
) -> None:
    def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name in {"b", "c"}), None)

    async with service(select_subprotocol=choose) as behind:
        server = start(behind.url, server=asgi)
        async with client(server.url("/"), subprotocols=["a", "c", "b"]) as here:
            assert here.subprotocol == (await behind.newest()).subprotocol == "c"
        async with client(server.url("/")) as here:
            assert here.subprotocol is None


async def test_a_token_among_the_subprotocols_goes_on_only_with_authorization(start: Callable[..., Server]) -> None:
    def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name == "chat"), None)

    async with service(headers_at, select_subprotocol=choose) as behind:
        server = start(behind.url)
        offers: list[Any] = ["chat", "access-token", "s3cret"]
        _, headers = await seen_by_service(server.url("/"), subprotocols=offers)
        assert dict(headers)["sec-websocket-protocol"] == "chat"
        # A browser insists on one of what it offered, so it gets the marker.
        async with client(server.url("/"), subprotocols=offers[1:]) as here:
            assert here.subprotocol == "access-token"
    async with service(headers_at, select_subprotocol=choose) as behind:
        server = start(behind.url, forward_headers=["authorization"])
        _, headers = await seen_by_service(server.url("/"), subprotocols=offers)
        assert dict(headers)["sec-websocket-protocol"] == "chat, access-token, s3cret"


async def test_path_and_query_go_on_where_wished(start: Callable[..., Server]) -> None:
    async with service(headers_at) as behind:
        server = start(f"{behind.url}/base/?key=1", forward_path=True, forward_query=True)
        path, _ = await seen_by_service(server.url("/rooms/a%20b/%C5%82?x=1&y=%20&z=%2F"))
        assert path == "/base/rooms/a%20b/%C5%82?key=1&x=1&y=%20&z=%2F"
        # Below a mount it is what follows the mount's own path.
        path, _ = await seen_by_service(server.url("/gate/rooms/1"))
        assert path == "/base/rooms/1?key=1"
        # What only begins with its letters is not below it.
        path, _ = await seen_by_service(server.url("/gateway/1"))
        assert path == "/base/gateway/1?key=1"
        path, _ = await seen_by_service(server.url("//evil.example/x"))
        assert path == "/base//evil.example/x?key=1"
        path, _ = await seen_by_service(server.url("/@evil.example:80/"))
        assert path == "/base/@evil.example:80/?key=1"
        path, _ = await seen_by_service(server.url("/%252e%252e/x"))
        assert path == "/base/%252e%252e/x?key=1"


@pytest.mark.parametrize(
    "path",
    ["/../admin", "/a/../../admin", "/%2e%2e/admin", "/a%2f..%2fadmin", "/..%5cadmin", "/..;/admin", "/%00", "/."],
)
async def test_a_path_that_climbs_is_refused(start: Callable[..., Server], path: str) -> None:
    async with service(headers_at) as behind:
        server = start(f"{behind.url}/base", forward_path=True)
        assert await status_of_raw(server.port, path) == 400
        assert behind.connections == []


async def status_of_raw(port: int, path: str) -> int:
    """Shake hands with a path as it is: clients would resolve it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    async with asyncio.timeout(PATIENCE):
        status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return int(status)


async def test_the_target_may_be_asked_for(start: Callable[..., Server]) -> None:
    async with service() as one, service() as two:
        server = start(None, table={"one": one.url, "two": two.url, "bad": "http://x"})
        for name, behind in (("one", one), ("two", two)):
            async with client(server.url(f"/?to={name}")) as here:
                await here.send(name)
                assert await here.recv() == name
                assert len(behind.connections) == 1
        refused = await server.refusal("/?to=three")
        assert refused.status_code == 404
        assert json.loads(refused.body or b"")["code"] == "no_service"
        assert (await server.refusal("/?to=bad")).status_code == 500


async def test_foreign_pages_are_refused(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url)
        refused = await server.refusal("/", additional_headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert behind.connections == []
        async with client(server.url("/"), additional_headers={"Origin": f"http://127.0.0.1:{server.port}"}) as here:
            await here.send("x")
            assert await here.recv() == "x"


# When the service does not do what it should


async def test_a_service_that_is_not_there_is_a_bad_gateway(start: Callable[..., Server], asgi: str) -> None:
    problem = await problem_of(start(f"ws://127.0.0.1:{unused_port()}", server=asgi))
    assert (problem["status"], problem["code"], problem["retryable"]) == (502, "bad_gateway", True)
    assert "127.0.0.1" not in problem["detail"]


async def test_a_service_that_never_answers_is_a_gateway_timeout(start: Callable[..., Server], asgi: str) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_service(silent) as url:
        problem = await problem_of(start(url, server=asgi, connect_timeout=0.7))
        assert (problem["status"], problem["code"], problem["retryable"]) == (504, "gateway_timeout", True)


@pytest.mark.parametrize(
    ("status", "headers", "expected"), [(401, {}, 401), (403, {}, 403), (404, {}, 404), (400, {}, 400), (500, {}, 502),
    (503, {"Retry-After": "7"}, 503), (302, {"Location": "ws://127.0.0.1:1/"}, 502), (200, {}, 502)]
)  # fmt: skip
async def test_a_refusal_of_the_service(
    start: Callable[..., Server], status: int, headers: dict[str, str], expected: int
) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(status, "inside information")
        response.headers.update(headers)
        return response

    async with service(process_request=refuse) as behind:
        problem = await problem_of(start(behind.url))
        assert problem["status"] == expected
        assert "inside" not in json.dumps(problem)
        assert problem.get("retry_after") == (7 if expected == 503 else None)


async def test_the_problem_of_a_refusing_service_is_passed_on(start: Callable[..., Server]) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(
            403, json.dumps({"code": "banned", "detail": "Until May.", "status": 200, "x": 1})
        )
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/problem+json"
        return response

    async with service(process_request=refuse) as behind:
        problem = await problem_of(start(behind.url))
        assert (problem["status"], problem["code"], problem["detail"]) == (403, "banned", "Until May.")
        assert "x" not in problem


@pytest.mark.parametrize("body", ["no JSON", "[" * 100_000, "[]"], ids=["no JSON", "nested", "no object"])
async def test_a_problem_that_is_none_is_a_refusal_all_the_same(start: Callable[..., Server], body: str) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(403, body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/problem+json"
        return response

    async with service(process_request=refuse) as behind:
        problem = await problem_of(start(behind.url))
        assert (problem["status"], problem["code"]) == (403, "forbidden")


async def test_a_service_that_speaks_no_websocket_is_a_bad_gateway(start: Callable[..., Server]) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: nonsense\r\n\r\n")  # fmt: skip
        await writer.drain()

    async with raw_service(nonsense) as url:
        assert (await problem_of(start(url)))["status"] == 502


ECHO = """
    async def handle(connection):
        async for message in connection:
            await connection.send(message)
"""


async def test_a_service_that_is_killed_is_to_be_tried_again(
    start: Callable[..., Server], asgi: str, tmp_path: Path
) -> None:
    with process_service(tmp_path, ECHO) as behind:
        async with client(start(behind.url("/"), server=asgi).url("/")) as here:
            await here.send("x")
            assert await here.recv() == "x"
            behind.signal(signal.SIGKILL)
            assert await ended(here) == (1013, "The service is gone; try again.")


async def test_a_service_that_is_stopped_is_noticed(start: Callable[..., Server], tmp_path: Path) -> None:
    with process_service(tmp_path, ECHO) as behind:
        server = start(behind.url("/"), ping_interval=0.5, ping_timeout=0.5, close_timeout=0.5)
        async with client(server.url("/")) as here:
            await here.send("x")
            assert await here.recv() == "x"
            behind.signal(signal.SIGSTOP)
            try:
                assert await ended(here) == (1013, "The service is gone; try again.")
                await eventually(lambda: server.inside()["connections"] == 0)
            finally:
                behind.signal(signal.SIGCONT)


async def test_a_client_that_leaves_a_stopped_service_is_let_go(start: Callable[..., Server], tmp_path: Path) -> None:
    with process_service(tmp_path, ECHO) as behind:
        server = start(behind.url("/"), ping_interval=None, close_timeout=0.5)
        async with client(server.url("/")) as here:
            behind.signal(signal.SIGSTOP)
            try:
                await here.close(1000, "bye")
                await eventually(lambda: server.inside()["connections"] == 0)
            finally:
                behind.signal(signal.SIGCONT)


async def test_a_service_that_breaks_the_protocol_is_an_error_of_the_service(
    start: Callable[..., Server], asgi: str
) -> None:
    async def nonsense(connection: ServerConnection) -> None:
        connection.transport.write(b"\xff\xff\xff\xff")
        await connection.wait_closed()

    async def no_text(connection: ServerConnection) -> None:
        connection.transport.write(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=False))
        await connection.wait_closed()

    for misbehave in (nonsense, no_text):
        async with service(misbehave) as behind, client(start(behind.url, server=asgi).url("/")) as here:
            assert (await ended(here))[0] == 1011


async def test_a_close_frame_ends_it_though_the_service_leaves_tcp_open(start: Callable[..., Server]) -> None:
    async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(accepting(request))
        writer.write(Frame(Opcode.CLOSE, b"\x0f\xa0half").serialize(mask=False))
        await asyncio.Event().wait()

    async with raw_service(half_open) as url:
        server = start(url, close_timeout=0.5)
        async with client(server.url("/")) as here:
            assert await ended(here) == (4000, "half")
        await eventually(lambda: server.inside()["connections"] == 0)


def accepting(request: str) -> bytes:
    from websockets.utils import accept_key

    key = next(line.split(": ")[1] for line in request.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode()


# Bounds


@pytest.mark.parametrize("compression", [False, True])
async def test_a_message_that_is_too_long_for_the_gateway(start: Callable[..., Server], compression: bool) -> None:
    codes: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def talk(connection: ServerConnection) -> None:
        message = await connection.recv()
        if message == "send much":
            await connection.send("x" * 10_001)
        codes.put_nowait(await ended(connection))

    async with service(talk) as behind:
        server = start(behind.url, max_message_bytes=10_000, compression=compression)
        async with client(server.url("/")) as here:
            await here.send("x" * 10_000)
            await here.send("ł" * 5_001)
            assert await ended(here) == (1009, "A message may have 10000 bytes.")
            assert (await codes.get())[0] == 1001
        async with client(server.url("/")) as here:
            assert bool((await behind.newest()).protocol.extensions) is compression
            await here.send("send much")
            assert await ended(here) == (1011, "A message of the service is too long.")
            assert (await codes.get())[0] == 1009


async def test_a_client_that_does_not_read_holds_the_service_back(start: Callable[..., Server], frank: str) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(64):
            await connection.send(b"x" * MIB)
            sent += 1
        await connection.wait_closed()

    async with service(flood, write_limit=65_536, ping_interval=None) as behind:
        server = start(behind.url, server=frank, ping_interval=None)
        before = server.inside()["memory"]
        async with client(server.url("/"), max_queue=1, ping_interval=None) as here:
            await settled(lambda: sent)
            assert sent < 40
            assert server.inside()["memory"] - before < 32 * MIB
            received = 0
            while received < 64 * MIB:
                received += len(await here.recv())
            assert (sent, received) == (64, 64 * MIB)
            assert server.inside()["memory"] - before < 40 * MIB


async def test_a_service_that_does_not_read_holds_the_client_back(start: Callable[..., Server], frank: str) -> None:
    go_on = asyncio.Event()
    received = 0

    async def read_late(connection: ServerConnection) -> None:
        nonlocal received
        await go_on.wait()
        async for message in connection:
            received += len(message)

    async with service(read_late, max_queue=1, ping_interval=None) as behind:
        server = start(behind.url, server=frank, ping_interval=None)
        before = server.inside()["memory"]
        sent = 0
        async with client(server.url("/"), write_limit=65_536, ping_interval=None) as here:

            async def flood() -> None:
                nonlocal sent
                for _ in range(64):
                    await here.send(b"x" * MIB)
                    sent += 1

            flooding = asyncio.create_task(flood())
            await settled(lambda: sent)
            assert sent < 40
            assert server.inside()["memory"] - before < 32 * MIB
            go_on.set()
            await flooding
        await eventually(lambda: received == 64 * MIB)


async def test_who_never_reads_is_closed_in_the_end(start: Callable[..., Server]) -> None:
    async def flood(connection: ServerConnection) -> None:
        while True:
            await connection.send(b"x" * MIB)

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with service(flood) as behind:
        server = start(behind.url, send_timeout=0.7, close_timeout=0.5)
        async with client(server.url("/"), max_queue=1) as here:
            await eventually(lambda: server.inside()["connections"] == 0)
            here.transport.abort()
    async with service(deaf, ping_interval=None) as behind:
        server = start(behind.url, send_timeout=0.7, close_timeout=0.5)
        async with client(server.url("/"), ping_interval=None) as here:

            async def flood_back() -> None:
                while True:
                    await here.send(b"x" * MIB)

            flooding = asyncio.create_task(flood_back())
            assert await ended(here) == (1013, "The service does not keep up; try again.")
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
            behind.connections[-1].transport.abort()
        await eventually(lambda: server.inside()["connections"] == 0)


async def test_silence_ends_it_where_that_is_wished(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url, idle_timeout=0.7)
        async with client(server.url("/")) as here:
            await here.send("x")
            assert await here.recv() == "x"
            assert (await ended(here))[0] == 3008
            await behind.connections[0].wait_closed()
            assert behind.connections[0].close_code == 1001


async def test_no_more_connections_than_allowed(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url, max_connections=1)
        async with client(server.url("/")):
            assert (await problem_of(server))["status"] == 503
        await eventually(lambda: server.inside()["connections"] == 0)
        async with client(server.url("/")) as here:
            await here.send("x")
            assert await here.recv() == "x"


# What is left behind


async def test_connections_that_come_and_go_leave_nothing(start: Callable[..., Server], asgi: str) -> None:
    async def echo_or_drop(connection: ServerConnection) -> None:
        async for message in connection:
            if message == "drop":
                connection.transport.abort()
            else:
                await connection.send(message)

    async with service(echo_or_drop) as behind:
        server = start(behind.url, server=asgi)

        async def visit(number: int) -> None:
            async with client(server.url("/")) as here:
                await here.send("x")
                assert await here.recv() == "x"
                if number % 3 == 0:
                    here.transport.abort()
                elif number % 3 == 1:
                    await here.send("drop")
                    assert (await ended(here))[0] == 1013

        await visit(0)
        await eventually(lambda: server.inside()["connections"] == 0)
        before = server.inside()
        for tens in range(20):
            await asyncio.gather(*(visit(10 * tens + each) for each in range(10)))
        await eventually(lambda: server.inside()["connections"] == 0)
        await eventually(lambda: server.inside()["sockets"] <= before["sockets"])
        after = server.inside()
        assert after["relays"] == 0
        assert len(after["tasks"]) <= len(before["tasks"]), after["tasks"]
        assert "Traceback" not in server.log


async def test_who_leaves_before_the_service_has_answered_is_not_connected_for(
    start: Callable[..., Server], frank: str
) -> None:
    ends: asyncio.Queue[bytes] = asyncio.Queue()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.put_nowait(await reader.read())

    async with raw_service(silent) as url:
        server = start(url, server=frank, connect_timeout=25)
        with pytest.raises(TimeoutError):
            async with client(server.url("/"), open_timeout=1):
                pass
        async with asyncio.timeout(15):
            await ends.get()
        await eventually(lambda: server.inside()["connections"] == 0)


# The end of the gateway


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_at_a_signal_every_client_is_told_to_come_back(
    start: Callable[..., Server], asgi: str, number: signal.Signals
) -> None:
    async with service() as behind:
        server = start(behind.url, server=asgi)
        async with client(server.url("/")) as one, client(server.url("/gate/x")) as two:
            for each in (one, two):
                await each.send("x")
                assert await each.recv() == "x"
            server.signal(number)
            assert await ended(one) == await ended(two) == (1012, "The gateway restarts.")
            for each in behind.connections:
                await each.wait_closed()
                assert each.close_code == 1001
        await server.exit_code()
        assert "Traceback" not in server.log
