"""The gateway in FastAPI: mounted, in a route with dependencies, and after the route has accepted."""

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.server import serve as serve_in_threads

from tests.adapters.gateways import (
    FASTAPI,
    client,
    ended,
    gateway,
    headers_at,
    problem_of,
    seen_by_service,
    service,
    unused_port,
)
from tests.adapters.hosts import uvicorn
from tests.adapters.serving import Server, reserve_port
from tests.adapters.talking import message
from wsproto_core import HostError
from wsproto_proxy import WebSocketProxy


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a gateway that ends with the test."""
    with ExitStack() as running:
        yield lambda target, **options: running.enter_context(gateway(tmp_path, target, application=FASTAPI, **options))


async def test_mounted_it_passes_on_the_path_below_the_mount(start: Callable[..., Server]) -> None:
    async with service(headers_at) as behind:
        server = start(behind.url, forward_path=True)
        assert (await seen_by_service(server.url("/chat/rooms/1")))[0] == "/rooms/1"


async def test_a_route_says_who_it_is_and_the_client_cannot(start: Callable[..., Server]) -> None:
    async with service(headers_at) as behind:
        server = start(behind.url, forward_headers=["x-user-id"])
        _, headers = await seen_by_service(server.url("/ws/?user=ada"), additional_headers={"X-User-Id": "root"})
        assert [value for name, value in headers if name == "x-user-id"] == ["ada"]
        assert (await server.refusal("/ws/")).status_code == 403
        assert len(behind.connections) == 1


async def test_a_refusal_in_a_route_comes_before_accept(start: Callable[..., Server]) -> None:
    server = start(f"ws://127.0.0.1:{unused_port()}")
    assert (await problem_of(server, "/ws/?user=ada"))["status"] == 502
    assert (await problem_of(server, "/chat/"))["status"] == 502


async def test_a_route_that_has_accepted_closes_with_a_code(start: Callable[..., Server]) -> None:
    async with client(start(f"ws://127.0.0.1:{unused_port()}").url("/accepted/")) as here:
        assert await ended(here) == (1013, "The service behind this gateway cannot be reached.")


async def test_a_route_that_has_accepted_is_served(start: Callable[..., Server]) -> None:
    async with service() as behind, client(start(behind.url).url("/accepted/")) as here:
        await here.send(b"x")
        assert await here.recv() == b"x"


async def test_http_at_the_mount_is_told_to_upgrade(start: Callable[..., Server]) -> None:
    async with service() as behind:
        app = FastAPI()
        app.mount("/chat", WebSocketProxy(behind.url))
        response = TestClient(app).get("/chat/")
        assert response.status_code == 426
        assert response.headers["upgrade"] == "websocket"
        assert response.json()["status"] == 426


def test_the_test_client_works() -> None:
    def echo(connection: Any) -> None:
        for said in connection:
            connection.send(said)
            if said == b"end":
                connection.close(4000, "end")

    with ExitStack() as stack:
        server = stack.enter_context(serve_in_threads(echo, "127.0.0.1", 0))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        proxy = WebSocketProxy(f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
        app = FastAPI()

        @app.websocket("/ws/")
        async def ws(websocket: WebSocket) -> None:
            await proxy.handle_websocket(websocket)

        with TestClient(app).websocket_connect("/ws/") as here:
            here.send_text("x")
            assert here.receive_text() == "x"
            here.send_bytes(b"end")
            assert here.receive_bytes() == b"end"
            with pytest.raises(WebSocketDisconnect) as closed:
                here.receive_text()
            assert (closed.value.code, closed.value.reason) == (4000, "end")
        assert proxy.connections == 0


async def test_what_is_no_websocket_is_refused() -> None:
    with pytest.raises(HostError, match="takes the WebSocket of a route, not int"):
        await WebSocketProxy("ws://127.0.0.1:1").handle_websocket(3)


BESIDE_A_HUB = """
import os
from fastapi import FastAPI, WebSocket
from wsproto_fastapi import configure_websocket, handle_websocket
from wsproto_proxy import WebSocketProxy

app = FastAPI()
configure_websocket(app, autodiscover=False)
app.mount("/chat", WebSocketProxy(os.environ["TEST_TARGET"]))

@app.websocket("/ws/")
async def ws(websocket: WebSocket):
    await handle_websocket(websocket, user_id=None)
"""


@pytest.mark.parametrize("paths", [("/ws/", "/chat/"), ("/chat/", "/ws/")])
async def test_beside_a_hub_both_are_drained(tmp_path: Path, paths: tuple[str, str]) -> None:
    (tmp_path / "app.py").write_text(BESIDE_A_HUB)
    command = [part.replace("{application}", "app:app") for part in (*uvicorn(), "--app-dir", str(tmp_path))]
    async with service() as behind:
        with Server(command, tmp_path / "log", {"TEST_TARGET": behind.url}) as server:
            async with client(server.url(paths[0])) as one, client(server.url(paths[1])) as two:
                server.signal(signal.SIGTERM)
                assert [code for code, _ in await asyncio.gather(ended(one), ended(two))] == [1012, 1012]
            assert await server.exit_code() == -signal.SIGTERM
            assert "Traceback" not in server.log


async def test_the_example_is_started_by_one_command(tmp_path: Path) -> None:
    with reserve_port() as reserved:
        behind = reserved.getsockname()[1]
        command = ["-m", "examples.gateway", "{port}", str(behind)]
        with Server(command, tmp_path / "log", {}) as server:
            key = await asyncio.to_thread(server.get, "/login/ada")
            headers = {"Authorization": f"Bearer {key['key']}", "X-User-Id": "root"}
            assert (await server.refusal("/ws/")).status_code == 401
            async with asyncio.timeout(30):
                while True:
                    try:
                        async with client(server.url("/ws/"), additional_headers=headers) as here:
                            await here.send(json.dumps(message("greet")))
                            answer = json.loads(await here.recv())
                            break
                    except InvalidStatus:
                        # The service may take longer to start than the gateway.
                        await asyncio.sleep(0.05)
            assert answer["payload"] == {"text": "Hello, ada."}
        # The service has ended with the gateway.
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", behind)
