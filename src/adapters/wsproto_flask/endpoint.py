"""One line in a route: ``handle_websocket(websocket, user_id=...)``."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from flask import Flask, current_app, has_request_context, request
from simple_websocket.ws import Server
from werkzeug.exceptions import HTTPException

from wsproto_core.asyncapi.mentions import serving
from wsproto_core.blocking import loop_thread
from wsproto_core.codec import PLAIN, find_codec
from wsproto_core.errors import HostError
from wsproto_core.hub import Admission, Denial, Hub
from wsproto_core.recipients import Audience
from wsproto_core.security import NOT_GIVEN
from wsproto_core.threaded import ThreadedSession
from wsproto_core.threaded_outbox import Closing
from wsproto_core.transport import ConnectionInfo, Surroundings
from wsproto_flask.configuration import check_server, hub_of
from wsproto_flask.frames import FrameTransport
from wsproto_flask.handshake import info_of, problem_answer
from wsproto_flask.heartbeat import Heartbeat
from wsproto_flask.lending import LentSocket, early_messages, lent_of
from wsproto_flask.streams import stream_of

__all__ = ["check_route", "finish", "handle_websocket", "transport_of"]

log = logging.getLogger("wsproto_core.flask")

_PING_INTERVAL = 25.0  # seconds, unless flask-sock or the limits were told otherwise
_WARNED = "wsproto_flask_warned"


@serving
def handle_websocket(
    websocket: Server,
    user_id: object = NOT_GIVEN,
    *,
    connection_id: str | None = None,
    rooms: Iterable[Audience | str] = (),
    state: Mapping[str, Any] | None = None,
) -> None:
    """Serve a WebSocket connection to its end.

    A connection that is refused gets an HTTP response before it is accepted; the route ends there, with an
    `HTTPException`. Without `configure_websocket` it works with the defaults, but then the connection is accepted
    before this is called: one that is refused gets a problem and a close code.

    Args:
        websocket: of the route.
        user_id: who is behind it: an int, a str, a UUID, or None for anonymous. When it is not given,
            ``authenticate`` is asked.
        connection_id: an id of the application's own; by default a random one.
        rooms: that it is in from the beginning.
        state: what ``context.state`` begins with.

    Raises:
        HostError: not called with the WebSocket of a flask-sock route, outside a request, or on a server that cannot
            hold connections.
        HTTPException: the connection is refused; Flask makes the response of it.
        TypeError: a user id that is none.
    """
    check_route(websocket, "handle_websocket")
    # werkzeug's LocalProxy has it, which its types do not say.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    hub = hub_of(app)
    lent = lent_of(websocket)
    info = info_of(request)
    admission = _admit(hub, lent, info, user_id=user_id, connection_id=connection_id, rooms=rooms, state=state)
    transport = transport_of(websocket, lent, info, hub.limits.max_message_bytes)
    if isinstance(admission, Denial):
        _tell(transport, hub.problem_text(admission.problem, info), admission)
    else:
        admission.subprotocol = websocket.subprotocol
        admission.codec = find_codec(websocket.subprotocol) or PLAIN
        _serve(hub, lent, transport, admission, _ping_interval(app, hub), app)
    finish(websocket, transport)


def finish(websocket: Server, transport: FrameTransport) -> None:
    """Let go of a connection that has ended."""
    transport.linger()
    websocket.connected = False
    # A code of the application's own is none of the library's enumeration.
    websocket.close_reason = transport.close_code  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    websocket.close_message = transport.close_reason
    # What follows is not to reach the client: some servers send an HTTP response.
    transport.drop()


def check_route(websocket: object, name: str) -> None:
    """Refuse what is no WebSocket of a route, and a server that cannot hold it.

    Args:
        websocket: that a function was given.
        name: of the function.

    Raises:
        HostError: with the way out.
    """
    if not isinstance(websocket, Server):
        raise HostError(f"{name} takes the WebSocket of a flask-sock route, not {type(websocket).__name__}.")
    if not has_request_context():
        raise HostError(f"{name} works in a route: call it in a function below @sock.route(...).")
    check_server(request.environ)


def _admit(hub: Hub, lent: LentSocket, info: ConnectionInfo, **asked: Any) -> Admission | Denial:
    """Decide about a connection; a refusal is returned only if the handshake has been answered already."""
    try:
        admission = loop_thread.run(hub.admit(info, **asked))
        if isinstance(admission, Denial) and lent.refuse():
            raise HTTPException(response=problem_answer(admission.problem, hub.settings.problem_type_base_url, info))
    except BaseException:
        lent.refuse()
        raise
    return admission


def _serve(
    hub: Hub, lent: LentSocket, transport: FrameTransport, admission: Admission, ping: float | None, app: Flask
) -> None:
    transport.pings = bool(ping)
    surroundings = Surroundings(around=app.app_context, context=contextvars.copy_context())

    async def begin() -> tuple[ThreadedSession, Heartbeat | None]:
        session = hub.open_threaded(transport, admission, surroundings)
        lent.call_when_left(session.wake_reader)
        return session, Heartbeat(session, transport, ping) if ping else None

    try:
        lent.take()
        session, heartbeat = loop_thread.run(begin())
    except OSError:
        # The client has gone while it was asked for.
        hub.release(admission)
        return
    except BaseException:
        hub.release(admission)
        raise
    try:
        session.serve()
    finally:
        if heartbeat is not None:
            session.loop.call_soon_threadsafe(heartbeat.stop)


def _tell(transport: FrameTransport, problem: str, denial: Denial) -> None:
    """Refuse a connection that was accepted already: the problem, then the close code."""
    try:
        transport.write(problem)
        transport.write(Closing(denial.close_code, denial.problem.title))
    except OSError as error:
        log.debug("a refused connection on %s was gone already", transport.info.path, exc_info=error)


def transport_of(websocket: Server, lent: LentSocket, info: ConnectionInfo, max_bytes: int | None) -> FrameTransport:
    """Return the frames of a connection, once simple-websocket is to read no more.

    Args:
        websocket: of the route.
        lent: its socket.
        info: what the connection told about itself.
        max_bytes: of one message.
    """
    offered = request.headers.get("Sec-WebSocket-Extensions", "")
    return FrameTransport(
        info,
        stream_of(lent.sock),
        websocket.ws,
        compressed="permessage-deflate" in offered,
        max_bytes=max_bytes,
        early=partial(early_messages, websocket),
    )


def _ping_interval(app: Flask, hub: Hub) -> float | None:
    """Return how many seconds lie between two pings: what flask-sock was told, else our limit, else a default."""
    default = hub.limits.heartbeat_interval or _PING_INTERVAL
    interval: float | None = app.config.get("SOCK_SERVER_OPTIONS", {}).get("ping_interval", default)
    if not interval and hub.limits.idle_timeout is None and not app.extensions.get(_WARNED):
        app.extensions[_WARNED] = True
        log.warning(
            "clients that vanish without a word are never found: leave SOCK_SERVER_OPTIONS['ping_interval'] on, or set "
            "Limits(idle_timeout=…)"
        )
    return interval
