"""One ASGI WebSocket connection: the transport that the core writes through, and the loop that reads for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final

from wsproto_asgi.handshake import Receive, Scope, Send, info_from_scope, refuse
from wsproto_asgi.signals import install_signal_handlers
from wsproto_core.asyncapi.mentions import serving
from wsproto_core.closing import CloseCode, close_reason
from wsproto_core.codec import PLAIN
from wsproto_core.hub import Denial, Hub
from wsproto_core.recipients import Audience
from wsproto_core.security import NOT_GIVEN
from wsproto_core.session import Session
from wsproto_core.transport import ConnectionInfo, Surroundings

__all__ = ["AsgiTransport", "refuse_accepted", "run_websocket"]

log = logging.getLogger("wsproto_core.asgi")

_NO_SURROUNDINGS: Final = Surroundings()
_CLOSE_HANDSHAKE: Final = 5.0  # seconds that the other side has to answer our close frame
_CLOSE_FRAME: Final = 0.1  # seconds that the server has to take it before we stop reading, in case that is in its way


class AsgiTransport:
    """Writes to an accepted ASGI WebSocket connection.

    Args:
        info: what the connection told about itself.
        send: of the connection.
        reader: the task that reads it; it is let go when a closing handshake is not answered.
    """

    __slots__ = ("_closing", "_reader", "_send", "_watch", "gave_up", "info")

    def __init__(self, info: ConnectionInfo, send: Send, reader: asyncio.Task[Any] | None) -> None:
        self.info = info
        self.gave_up = False
        self._send = send
        self._reader = reader
        self._watch: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None

    def send(self, frame: str | bytes) -> Awaitable[None]:
        """Write one frame."""
        # No coroutine of our own around the server's: it would be one more for each frame.
        if isinstance(frame, str):
            return self._send({"type": "websocket.send", "text": frame})
        return self._send({"type": "websocket.send", "bytes": frame})

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame, and stop reading if it is not answered in time."""
        loop = asyncio.get_running_loop()
        closing = self._closing = loop.create_future()
        hurry = loop.call_later(_CLOSE_FRAME, self._give_up)
        if self._reader is not None:
            self._watch = loop.call_later(_CLOSE_HANDSHAKE, self._give_up)
        try:
            # granian keeps the close frame for as long as somebody waits for a message. daphne takes an int for a close
            # code and nothing that only is one, such as a member of an enumeration.
            await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
        finally:
            hurry.cancel()
            closing.set_result(None)

    async def close_sent(self) -> None:
        """Wait until the server has taken the close frame."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=_CLOSE_HANDSHAKE)

    def finished(self) -> None:
        """Note that reading has ended by itself."""
        self._reader = None
        if self._watch is not None:
            self._watch.cancel()

    def _give_up(self) -> None:
        if self._reader is not None and not self.gave_up:
            self.gave_up = True
            self._reader.cancel()


@serving
async def run_websocket(
    hub: Hub,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    user_id: object = NOT_GIVEN,
    connection_id: str | None = None,
    rooms: Iterable[Audience | str] = (),
    state: Mapping[str, Any] | None = None,
    accepted: bool = False,
    surroundings: Surroundings = _NO_SURROUNDINGS,
    info: ConnectionInfo | None = None,
) -> None:
    """Serve one WebSocket connection to its end.

    Args:
        hub: that it belongs to.
        scope: of the connection (ASGI specification, "WebSocket").
        receive: of the connection.
        send: of the connection.
        user_id: who is behind it, when the host knows; else ``authenticate`` is asked.
        connection_id: an id of the application's own; by default a random one.
        rooms: that it is in from the beginning.
        state: what its state begins with.
        accepted: whether the connection has been accepted already. Then it speaks the plain form: with which
            subprotocol it was accepted, only the application knows.
        surroundings: what handlers find around them, when a framework gives them something.
        info: what the connection told about itself, where a framework knows more of it than the scope.

    Raises:
        TypeError: a user id that is none.
    """
    install_signal_handlers(hub)
    if not accepted:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
    if info is None:
        info = info_from_scope(scope)
    admission = await hub.admit(info, user_id=user_id, connection_id=connection_id, rooms=rooms, state=state)
    if isinstance(admission, Denial):
        if accepted:
            await refuse_accepted(hub, send, admission, info)
        else:
            await refuse(scope, send, admission, hub.settings.problem_type_base_url)
        return
    if accepted:
        admission.subprotocol, admission.codec = None, PLAIN
    else:
        try:
            await send({"type": "websocket.accept", "subprotocol": admission.subprotocol, "headers": []})
        except BaseException:
            hub.release(admission)
            raise
    transport = AsgiTransport(info, send, asyncio.current_task())
    session = hub.open(transport, admission, surroundings)
    del admission  # which would stay in memory for as long as the connection does
    await _read(session, transport, receive)


async def _read(session: Session, transport: AsgiTransport, receive: Receive) -> None:
    code, reason = int(CloseCode.ABNORMAL), ""
    take = session.receive
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                await take(text if text is not None else message["bytes"])
            elif message["type"] == "websocket.disconnect":
                code, reason = message.get("code", CloseCode.NO_STATUS), message.get("reason") or ""
                return
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not transport.gave_up or task is None or task.uncancel() > 0:
            raise
        await transport.close_sent()
    finally:
        transport.finished()
        session.closed(code, reason)
        await session.finished()


async def refuse_accepted(hub: Hub, send: Send, denial: Denial, info: ConnectionInfo) -> None:
    """Refuse a connection that the application has accepted itself: the problem, then the close code.

    Args:
        hub: that knows how a problem travels.
        send: of the connection.
        denial: why.
        info: what the connection told about itself.
    """
    text = hub.problem_text(denial.problem, info)
    try:
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": denial.close_code, "reason": close_reason(denial.problem.title)})
    except Exception as error:
        log.debug("a refused connection on %s was gone already", info.path, exc_info=error)
