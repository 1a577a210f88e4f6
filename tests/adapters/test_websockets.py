"""The server of wsproto_websockets: how it is started, what it tells, how it ends, and that a hub can be shared."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import BaseModel
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from tests.adapters.talking import Client, eventually
from tests.interpreter import import_error
from wsproto_asgi import WebSocketApp
from wsproto_core import ActionContext, ConfigurationError, Event, HostError, Hub, Limits, Registry, Settings, room
from wsproto_core.codec import V1_JSON
from wsproto_core.testing import captured
from wsproto_websockets import Server, basic_auth, serve, unix_serve

registry = Registry()


class Enter(BaseModel):
    name: str


class Entered(Event, name="entered"):
    latency: float | None = None


class Told(Event, name="told"):
    text: str


@registry.action("enter")
async def enter(payload: Enter, context: ActionContext) -> Entered:
    await context.join(room(payload.name))
    connection = context.info.extras.get("connection")
    return Entered(latency=connection.latency if connection is not None else None)


@registry.action("wait")
async def wait(context: ActionContext) -> Told:
    await asyncio.sleep(30)
    return Told(text="done")


@asynccontextmanager
async def connected(server: Server, path: str = "/", **options: Any) -> AsyncIterator[Client]:
    async with connect(f"ws://127.0.0.1:{port(server)}{path}", proxy=None, **options) as websocket:
        yield Client(websocket)


def port(server: Server) -> int:
    number: int = server.sockets[0].getsockname()[1]
    return number


def local(**options: Any) -> Server:
    """A server on a port that is free, with the actions of this module."""
    options = {"install_signal_handlers": False, "registry": registry, **options}
    return serve("127.0.0.1", 0, **options)


async def test_it_serves_as_a_context_manager_and_ends_with_a_code_and_a_reason() -> None:
    async with local() as server:
        assert server.is_serving()
        assert server.get_loop() is asyncio.get_running_loop()
        async with connected(server) as client:
            assert await client.is_served()
            listener = port(server)
            server.close(reason="Good night.")
            server.close(reason="Once is enough.")
            assert await client.closed() == (1001, "Good night.")
            await server.wait_closed()
    assert not server.is_serving()
    assert server.sockets == ()
    assert server.hub.stats().connections == 0
    with pytest.raises(OSError, match=r"Connect call failed|refused"):
        await asyncio.open_connection("127.0.0.1", listener)


async def test_it_serves_when_awaited_until_it_is_cancelled() -> None:
    server = await local()
    assert await server is server
    serving = asyncio.create_task(server.serve_forever())
    async with connected(server) as client:
        assert await client.is_served()
        serving.cancel()
        assert (await client.closed())[0] == 1001
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_serving_for_ever_ends_when_it_is_closed() -> None:
    server = local(start_serving=False)
    serving = asyncio.create_task(server.serve_forever())
    await eventually(server.is_serving)
    async with connected(server) as client:
        assert await client.is_served()
    server.close()
    await serving


async def test_before_its_start_it_says_how_to_start_it() -> None:
    server = local()
    assert (server.connections, server.sockets, server.is_serving()) == (set(), (), False)
    server.close()
    with pytest.raises(HostError, match="await serve"):
        server.get_loop()


async def test_it_tells_its_connections_and_their_latency() -> None:
    async with local() as server:
        async with connected(server) as one, connected(server) as two:
            assert await one.is_served()
            assert await two.is_served()
            for connection in server:
                assert await (await connection.ping()) > 0
                assert connection.latency > 0
            assert set(server) == server.connections == server.websockets
            assert {session.info.extras["connection"] for session in server.hub.connections.values()} == set(server)
            entered = await one.ask("enter", {"name": "lobby"})
            assert entered["payload"]["latency"] > 0
        await eventually(lambda: not server.connections)


async def test_the_close_codes_of_clients_arrive(caplog: pytest.LogCaptureFixture) -> None:
    ended: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def on_disconnect(context: ActionContext, code: int, reason: str) -> None:
        await ended.put((code, reason))

    async with local(on_disconnect=on_disconnect) as server:
        for code, reason in ((1000, ""), (3001, "zażółć")):
            async with connected(server) as client:
                await client.is_served()
                await client.websocket.close(code, reason)
            assert await ended.get() == (code, reason)
        async with connected(server) as client:
            await client.is_served()
            client.reset()
        assert await ended.get() == (1006, "")
        async with connected(server) as client:
            await client.websocket.send([b"\xff"], text=True)
            assert (await client.closed())[0] == 1007
        assert (await ended.get())[0] == 1007
    assert "Traceback" not in caplog.text


async def test_running_actions_end_before_the_server_does() -> None:
    started = asyncio.Event()
    gate = asyncio.Event()
    own = Registry()

    @own.action("pass")
    async def pass_gate() -> Told:
        started.set()
        await gate.wait()
        return Told(text="passed")

    async with local(registry=own) as server, connected(server) as client:
        await client.send("pass")
        await started.wait()
        server.close(code=1012, reason="New version.")
        gate.set()
        assert (await client.receive())["payload"] == {"text": "passed"}
        assert await client.closed() == (1012, "New version.")


async def test_connections_may_outlive_the_listening() -> None:
    async with local() as server, connected(server) as client:
        assert await client.is_served()
        server.close(close_connections=False)
        await eventually(lambda: not server.is_serving())
        assert await client.is_served()


async def test_a_client_that_does_not_answer_the_close_frame_is_hung_up_on() -> None:
    async with local(close_timeout=0.1, ping_interval=None) as server:
        with socket.create_connection(("127.0.0.1", port(server))) as raw:
            raw.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=raw)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            server.close()
            async with asyncio.timeout(5):
                await server.wait_closed()
            writer.close()


async def test_a_message_of_too_many_fragments_ends_the_connection() -> None:
    async with local() as server, connected(server) as client:
        client.write(Frame(Opcode.CONT if number else Opcode.TEXT, b"x", fin=False) for number in range(10_000))
        code, _, before = await client.rest()
        assert (code, before) == (1009, [])


async def test_it_listens_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with (
        unix_serve(path, url_path="/ws/", registry=registry, install_signal_handlers=False) as server,
        unix_connect(str(path), uri="ws://localhost/ws/") as websocket,
    ):
        client = Client(websocket)
        assert await client.is_served()
        (session,) = server.hub.connections.values()
        assert session.info.peer is None
        assert session.info.path == "/ws/"


async def test_a_hub_is_shared_with_another_host_and_survives_the_server() -> None:
    hub = Hub(Settings(registry=registry, install_signal_handlers=False))
    listener = socket.create_server(("127.0.0.1", 0))
    asgi = uvicorn.Server(uvicorn.Config(WebSocketApp(hub=hub), log_level="warning"))
    running = asyncio.create_task(asgi.serve(sockets=[listener]))
    await eventually(lambda: asgi.started)
    other = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    async with serve("127.0.0.1", 0, hub=hub) as server, connect(other, proxy=None) as websocket:
        there = Client(websocket)
        await there.ask("enter", {"name": "lobby"})
        async with connected(server) as here:
            await here.ask("enter", {"name": "lobby"})
            with captured(hub) as events:
                assert await hub.emit(Told(text="to both"), to=room("lobby")) == 2
            assert len(events) == 1
            for client in (here, there):
                assert (await client.receive())["payload"] == {"text": "to both"}
            server.close()
            assert (await here.closed())[0] == 1001
        await server.wait_closed()
        assert await there.is_served()
        assert not hub.draining
    asgi.should_exit = True
    await running


async def test_the_applications_own_class_of_connections_is_used() -> None:
    class Counting(ServerConnection):
        opened = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            type(self).opened += 1
            super().connection_made(transport)

    async with local(create_connection=Counting) as server, connected(server) as client:
        assert await client.is_served()
        (connection,) = server
        assert isinstance(connection, Counting)
    with pytest.raises(ConfigurationError, match="create_connection"):
        local(create_connection=lambda *_: None)


async def test_options_go_on_to_the_library(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.websockets")
    caplog.set_level(logging.INFO, logger.name)
    options = {"compression": None, "max_size": 100, "server_header": "tests", "logger": logger}
    async with local(**options) as server, connected(server) as client:
        response = client.websocket.response
        assert response is not None
        assert response.headers["Server"] == "tests"
        assert "Sec-WebSocket-Extensions" not in response.headers
        await client.websocket.send(json.dumps({"x": "x" * 100}))
        assert (await client.closed())[0] == 1009
    assert any(record.name == logger.name for record in caplog.records)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"extra_headers": {}}, "process_response"),
        ({"read_limit": 65_536}, "max_queue"),
        ({"timeout": 10}, "close_timeout"),
        ({"ping_intervall": 10}, "'ping_interval'"),
        ({"authentikate": None}, "'authenticate'"),
        ({"allowed_origin": ()}, "'allowed_origins'"),
        ({"max_connections": 10}, "Limits"),
        ({"path": "ws/"}, "slash"),
        ({"hub": Hub(), "limits": Limits()}, "remove limits"),
        ({"hub": Hub(), "origins": ["https://app.example"]}, "remove origins"),
        ({"hub": Registry(), "port": 1}, "must be a Hub"),
        ({"host": lambda websocket: None}, "declare actions"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_is_no_option_is_told_with_the_way_out(options: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        serve(**options)


def test_the_older_basic_auth_is_refused_with_the_way_out() -> None:
    for older in (lambda: basic_auth("ada", "s3cret"), lambda: basic_auth("ada", "pw")):  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match=r"process_request=basic_auth\(credentials="):
            older()
    with pytest.raises(ConfigurationError, match="path of a socket"):
        unix_serve(lambda websocket: None)  # type: ignore[arg-type]


async def test_the_heartbeat_is_the_interval_of_the_pings() -> None:
    limits = Limits(heartbeat_interval=0.05)
    async with local(limits=limits) as server, connected(server, subprotocols=[V1_JSON]) as client:
        ready = await client.receive()
        assert ready["payload"]["ping_interval"] == 0.05
        assert [each.ping_interval for each in server] == [0.05]
        # A client that says nothing but answers pings is there; it would be closed after three intervals.
        await eventually(lambda: all(each.latency > 0 for each in server))
        await asyncio.sleep(0.3)
        assert await client.is_served()
    async with local(limits=limits, ping_interval=7) as server, connected(server):
        assert [each.ping_interval for each in server] == [7]


async def test_it_warns_when_nobody_would_find_who_vanished(caplog: pytest.LogCaptureFixture) -> None:
    async with local(ping_interval=None, limits=Limits(idle_timeout=60)), local():
        assert "vanish" not in caplog.text
    async with local(ping_interval=None):
        assert "leave ping_interval on, or set Limits(idle_timeout=…)" in caplog.text


def test_without_the_library_it_names_the_extra() -> None:
    assert import_error("wsproto_websockets", without="websockets") == (
        "wsproto_websockets needs websockets, which is not installed: pip install 'wsproto-core[websockets]'."
    )
