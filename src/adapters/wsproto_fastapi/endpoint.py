"""One line in a route: ``await handle_websocket(websocket, user_id=...)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketState

from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import Receive, Send
from wsproto_core.asyncapi.mentions import serving
from wsproto_core.errors import HostError
from wsproto_core.recipients import Audience
from wsproto_core.security import NOT_GIVEN
from wsproto_fastapi.configuration import hub_of

__all__ = ["handle_websocket"]


@serving
async def handle_websocket(
    websocket: WebSocket,
    user_id: object = NOT_GIVEN,
    *,
    connection_id: str | None = None,
    rooms: Iterable[Audience | str] = (),
    state: Mapping[str, Any] | None = None,
) -> None:
    """Serve a WebSocket connection to its end.

    Without `configure_websocket` it works with the defaults. A connection that is refused gets an HTTP response
    before it is accepted; one that the route has accepted already gets a problem and a close code.

    Args:
        websocket: of the route.
        user_id: who is behind it: an int, a str, a UUID, or None for anonymous. When it is not given,
            ``authenticate`` is asked.
        connection_id: an id of the application's own; by default a random one.
        rooms: that it is in from the beginning.
        state: what ``context.state`` begins with.

    Raises:
        HostError: not called with the WebSocket of a FastAPI or Starlette route.
        TypeError: a user id that is none.
    """
    if not isinstance(websocket, WebSocket):
        raise HostError(f"handle_websocket takes the WebSocket of a route, not {type(websocket).__name__}.")
    app = websocket.scope.get("app")
    if app is None:
        raise HostError("handle_websocket works in a route of a FastAPI or Starlette application.")
    await run_websocket(
        hub_of(app),
        websocket.scope,
        *_callables(websocket),
        user_id=user_id,
        connection_id=connection_id,
        rooms=rooms,
        state=state,
        accepted=websocket.application_state is not WebSocketState.CONNECTING,
    )


def _callables(websocket: WebSocket) -> tuple[Receive, Send]:
    """Return what the server gave the application.

    Starlette's own methods check each message against a state that the session keeps as well; without them a message
    costs a twentieth less. They are what is left where Starlette keeps the server's elsewhere.
    """
    receive: Receive = getattr(websocket, "_receive", websocket.receive)
    send: Send = getattr(websocket, "_send", websocket.send)
    return receive, send
