"""The gateway in routes of flask-sock, on gunicorn with threads and on werkzeug's server."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from tests.adapters.gateways import (
    FLASK,
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


@pytest.fixture(params=["gunicorn", "werkzeug"])
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Starts a gateway that ends with the test."""
    name = f"{FLASK}:app" if request.param == "gunicorn" else FLASK
    with ExitStack() as running:
        yield lambda target, **options: running.enter_context(
            gateway(tmp_path, target, application=name, server=request.param, **options)
        )


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_text_and_binary_go_both_ways(start: Callable[..., Server], compression: str | None) -> None:
    async with service() as behind, client(start(behind.url).url("/ws/"), compression=compression) as here:
        for message in ("łódź ❤", b"\x00\xff", "", b"", "a" * 500_000, os.urandom(500_000)):
            await here.send(message)
            assert await here.recv() == message
        whole = os.urandom(100_000)
        await here.send([whole[at : at + 7000] for at in range(0, len(whole), 7000)])
        assert await here.recv() == whole
        await asyncio.wait_for(await here.ping(), PATIENCE)


async def test_close_codes_go_both_ways(start: Callable[..., Server]) -> None:
    codes: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path == "/ws/first":
            await connection.send("last words")
            await connection.close(4321, "łódź")
        else:
            codes.put_nowait(await ended(connection))

    async with service(talk) as behind:
        server = start(behind.url, forward_path=True)
        async with client(server.url("/ws/first")) as here:
            assert await here.recv() == "last words"
            assert await ended(here) == (4321, "łódź")
        async with client(server.url("/ws/")) as here:
            await here.close(4999, "own")
        assert await codes.get() == (4999, "own")
        async with client(server.url("/ws/")) as here:
            here.transport.write(Frame(Opcode.CLOSE, b"").serialize(mask=True))
            assert await codes.get() == (1000, "")
        async with client(server.url("/ws/")) as here:
            here.transport.abort()
            assert await codes.get() == (1001, "The client is gone.")
        await eventually(lambda: server.inside()["connections"] == 0)
        assert "Traceback" not in server.log


async def test_what_the_route_says_and_what_the_client_says(start: Callable[..., Server]) -> None:
    async with service(headers_at) as behind:
        server = start(behind.url, forward_headers=["x-user-id", "accept-language"], forward_path=True)
        path, headers = await seen_by_service(
            server.url("/ws/a/b?user=ada"),
            additional_headers={"X-User-Id": "root", "Accept-Language": "pl", "Cookie": "no"},
        )
        values = dict(headers)
        assert path == "/ws/a/b"
        assert (values["x-user-id"], values["accept-language"], values["x-forwarded-for"]) == ("ada", "pl", "127.0.0.1")
        assert values["forwarded"] == f'for=127.0.0.1;proto=http;host="127.0.0.1:{server.port}"'
        assert "cookie" not in values


async def test_the_subprotocol_is_the_service_s_choice(start: Callable[..., Server]) -> None:
    def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name in {"b", "c"}), None)

    async with service(select_subprotocol=choose) as behind:
        server = start(behind.url)
        async with client(server.url("/ws/"), subprotocols=["a", "c", "b"]) as here:
            assert here.subprotocol == "c"
        async with client(server.url("/ws/")) as here:
            assert here.subprotocol is None


async def test_refusals_come_before_the_handshake_is_answered(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url)
        refused = await server.refusal("/ws/", additional_headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert behind.connections == []
    problem = await problem_of(server, "/ws/")
    assert (problem["status"], problem["code"]) == (502, "bad_gateway")
    assert "Traceback" not in server.log


async def test_a_service_that_never_answers_is_a_gateway_timeout(start: Callable[..., Server]) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_service(silent) as url:
        assert (await problem_of(start(url, connect_timeout=0.7), "/ws/"))["status"] == 504


async def test_a_handshake_that_was_answered_before_is_served_and_refused_as_far_as_it_goes(
    start: Callable[..., Server],
) -> None:
    async with service() as behind, client(start(behind.url).url("/late/")) as here:
        assert await here.recv() == "first"
        await here.send("x")
        assert await here.recv() == "x"
        await here.send(b"y")
        assert await here.recv() == b"y"


async def test_other_routes_are_left_alone(start: Callable[..., Server]) -> None:
    async with client(start(f"ws://127.0.0.1:{unused_port()}").url("/own/")) as here:
        await here.send("x")
        assert await here.recv() == "x"


async def test_the_target_function_runs_in_a_thread_with_the_request(start: Callable[..., Server]) -> None:
    async with service() as one:
        server = start(None, table={"one": one.url})
        async with client(server.url("/ws/?to=one")) as here:
            await here.send("x")
            assert await here.recv() == "x"
        assert (await server.refusal("/ws/?to=two")).status_code == 404


async def test_a_killed_service_is_to_be_tried_again(start: Callable[..., Server], tmp_path: Path) -> None:
    body = """
    async def handle(connection):
        async for message in connection:
            await connection.send(message)
    """
    with process_service(tmp_path, body) as behind:
        async with client(start(behind.url("/")).url("/ws/")) as here:
            await here.send("x")
            assert await here.recv() == "x"
            behind.signal(signal.SIGKILL)
            assert await ended(here) == (1013, "The service is gone; try again.")


async def test_a_message_that_is_too_long(start: Callable[..., Server]) -> None:
    async with service() as behind, client(start(behind.url, max_message_bytes=10_000).url("/ws/")) as here:
        await here.send("x" * 10_000)
        await here.recv()
        await here.send([b"x" * 4000] * 30)
        assert await ended(here) == (1009, "A message may have 10000 bytes.")


async def test_nobody_s_memory_is_for_those_who_do_not_read(start: Callable[..., Server]) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(64):
            await connection.send(b"x" * MIB)
            sent += 1
        await connection.wait_closed()

    async with service(flood, write_limit=65_536, ping_interval=None) as behind:
        server = start(behind.url, ping_interval=None)
        before = server.inside()["memory"]
        async with client(server.url("/ws/"), max_queue=1, ping_interval=None) as here:
            await settled(lambda: sent)
            assert sent < 40
            assert server.inside()["memory"] - before < 32 * MIB
            received = 0
            while received < 64 * MIB:
                received += len(await here.recv())
            assert (sent, received) == (64, 64 * MIB)


async def test_a_service_that_does_not_read_holds_the_client_back(start: Callable[..., Server]) -> None:
    go_on, sent, received = asyncio.Event(), 0, 0

    async def read_late(connection: ServerConnection) -> None:
        nonlocal received
        await go_on.wait()
        async for message in connection:
            received += len(message)

    async with service(read_late, max_queue=1, ping_interval=None) as behind:
        server = start(behind.url, ping_interval=None)
        before = server.inside()["memory"]
        async with client(server.url("/ws/"), write_limit=65_536, ping_interval=None) as here:

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


async def test_who_never_reads_is_let_go(start: Callable[..., Server]) -> None:
    async def flood(connection: ServerConnection) -> None:
        while True:
            await connection.send(b"x" * MIB)

    async with service(flood) as behind:
        server = start(behind.url, send_timeout=0.7, close_timeout=0.5)
        async with client(server.url("/ws/"), max_queue=1) as here:
            await eventually(lambda: server.inside()["connections"] == 0)
            here.transport.abort()


async def test_connections_that_come_and_go_leave_nothing(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url)

        async def visit(number: int) -> None:
            async with client(server.url("/ws/")) as here:
                await here.send("x")
                assert await here.recv() == "x"
                if number % 2 == 0:
                    here.transport.abort()

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


async def test_at_sigterm_every_client_is_told_to_come_back(start: Callable[..., Server]) -> None:
    async with service() as behind:
        server = start(behind.url)
        async with client(server.url("/ws/")) as here:
            await here.send("x")
            assert await here.recv() == "x"
            server.signal(signal.SIGTERM)
            assert await ended(here) == (1012, "The gateway restarts.")
            await behind.connections[0].wait_closed()
            assert behind.connections[0].close_code == 1001
        await server.exit_code()
        assert "Traceback" not in server.log
