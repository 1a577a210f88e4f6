"""Objects with receive, send and close in the place of ASGI."""

import asyncio
import json
import sys
from enum import Enum
from typing import Any

import pytest

from wsproto_asgi import handle_websocket_like
from wsproto_core import ActionContext, HostError, Hub, Problem, Registry, Settings
from wsproto_core.ids import new_id

SCOPE = {"type": "websocket", "path": "/ws/", "extensions": {"websocket.http.response": {}}}
CLIENT = "c0ffee00-0000-4000-8000-000000000000"


class State(Enum):
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Gone(Exception):
    code = 3001
    reason = "bye"


class Like:
    """The least that is enough: one method to send text and bytes."""

    scope = SCOPE
    state = State.CONNECTED

    def __init__(self, *received: Any) -> None:
        self.received = list(received)
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        await asyncio.sleep(0)
        each = self.received.pop(0)
        if isinstance(each, BaseException):
            raise each
        return each

    async def send(self, frame: str | bytes) -> None:
        self.sent.append(frame)

    async def close(self, code: int) -> None:
        self.sent.append(code)


class Full(Like):
    """With everything that there may be."""

    state = State.CONNECTING

    async def accept(self, subprotocol: str | None = None) -> None:
        self.sent.append(("accept", subprotocol))

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.sent.append((code, reason))


def hub(**options: Any) -> tuple[Hub, list[tuple[int, str]]]:
    """A hub, and how its connections ended."""
    ended: list[tuple[int, str]] = []

    async def on_disconnect(context: ActionContext, code: int, reason: str) -> None:
        ended.append((code, reason))

    settings = Settings(registry=Registry(), on_disconnect=on_disconnect, install_signal_handlers=False, **options)
    return Hub(settings), ended


def health() -> str:
    return json.dumps({"msg_id": new_id(), "req_id": new_id(), "action": "health"})


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (Gone(), 3001, "bye"),
        (EOFError(), 1006, ""),
        (ConnectionResetError(), 1006, ""),
        (None, 1005, ""),
        ({"type": "websocket.disconnect", "code": 1001}, 1001, ""),
    ],
    ids=["exception with a code", "end of file", "reset", "None", "message"],
)
@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="without eager tasks the last message has not begun when its client vanishes"
)
@pytest.mark.parametrize("kind", [Like, Full])
async def test_frames_of_every_form_are_answered_until_the_end(
    kind: type[Like], end: Any, code: int, reason: str
) -> None:
    frames = [health(), health().encode(), {"type": "websocket.receive", "text": health()}]
    used, ended = hub()
    websocket = kind(*frames, end)
    await handle_websocket_like(used, websocket, user_id=7)
    if kind is Full:
        assert websocket.sent.pop(0) == ("accept", None)
    assert [json.loads(frame)["event"] for frame in websocket.sent] == ["health"] * 3
    assert ended == [(code, reason)]


async def test_a_refused_connection_is_closed_before_it_is_accepted() -> None:
    def authenticate(info: object) -> None:
        raise Problem(code="unauthenticated")

    used, _ = hub(authenticate=authenticate)
    websocket = Full()
    await handle_websocket_like(used, websocket)
    assert websocket.sent == [(3000, "Not authenticated")]


async def test_the_servers_close_and_the_subprotocol_go_through() -> None:
    used, ended = hub(on_connect=lambda context: context.close(4001, "enough"))
    websocket = Full(asyncio.CancelledError())
    scope = {**SCOPE, "subprotocols": ["access-token", "s3cret"]}
    with pytest.raises(asyncio.CancelledError):
        await handle_websocket_like(used, websocket, scope=scope)
    assert websocket.sent[0] == ("accept", "access-token")
    await used.drain()
    assert ended == [(4001, "enough")]


async def test_an_error_of_the_object_itself_is_not_hidden() -> None:
    used, ended = hub()
    with pytest.raises(ValueError, match="broken"):
        await handle_websocket_like(used, Like(ValueError("broken")))
    assert ended == [(1006, "")]


async def test_an_object_that_lacks_something_is_refused_with_what_it_lacks() -> None:
    used, _ = hub()
    with pytest.raises(HostError, match="object has no ASGI scope"):
        await handle_websocket_like(used, object())
    with pytest.raises(HostError, match=r"object has no method receive\(\)"):
        await handle_websocket_like(used, object(), scope=SCOPE)
    with pytest.raises(HostError, match=r"Like has no method accept\(\)"):
        await handle_websocket_like(used, Like(), accepted=False)
    with pytest.raises(HostError, match=r"takes a Hub and then the WebSocket, not Like first"):
        await handle_websocket_like(Like(), used)  # type: ignore[arg-type]
