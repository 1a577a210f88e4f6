"""The examples of mounting into other frameworks, each on a real server."""

import signal
import sys

import pytest

from tests.adapters.conftest import Serve

needs_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="HawkAPI needs Python 3.12")


@pytest.mark.parametrize(
    ("framework", "path"),
    [
        ("starlette", "/ws/"),
        ("litestar", "/ws"),  # it knows no other path, with a slash at the end or without
        ("quart", "/ws/"),
        pytest.param("hawkapi", "/ws", marks=needs_3_12),  # whose routes never end with a slash
    ],
)
async def test_actions_and_events_from_http_work_and_the_end_is_told(serve: Serve, framework: str, path: str) -> None:
    server = serve(f"examples.mounted.on_{framework}:app")
    token = ["access-token", "ada"]
    async with server.connect(path, subprotocols=token) as ada, server.connect(path) as other:
        assert ada.websocket.subprotocol == "access-token"
        said = await ada.ask("chat.say", {"room": "lobby", "text": "hi"})
        assert said["payload"] == {"user_id": "ada", "text": "hi"}
        assert server.get("/announce/lobby") == 1
        assert (await ada.receive())["payload"]["text"] == "Hello from HTTP"
        problem = await other.ask("chat.say", {"room": "lobby"})
        assert (problem["code"], problem["instance"]) == ("invalid_payload", path)
        server.signal(signal.SIGTERM)
        for client in (ada, other):
            assert (await client.closed())[0] == 1012
    await server.exit_code()
    assert "Traceback" not in server.log
