"""A client that talks to a hub in memory, through the same pipeline as a real one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, Unpack

from pydantic_core import from_json, to_json

from wsproto_core.closing import CloseCode
from wsproto_core.codec import V1_JSON, Codec
from wsproto_core.envelopes import EventEnvelope
from wsproto_core.events import Event
from wsproto_core.hub import Denial, Hub
from wsproto_core.ids import new_id
from wsproto_core.problems import Problem, ProblemDetails
from wsproto_core.recipients import Audience
from wsproto_core.registry import Router
from wsproto_core.session import Session
from wsproto_core.settings import HubOptions, Settings
from wsproto_core.testing.capture import as_event, find_event, missing_event
from wsproto_core.testing.transport import MemoryTransport
from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["Client", "Refused", "Reply", "connect"]

EventT = TypeVar("EventT", bound=Event)
AnyT = TypeVar("AnyT")
_Message = EventEnvelope | ProblemDetails

_PATIENCE: Final = 5.0  # seconds until a test that waits for what never comes fails


class Refused(Exception):
    """The connection was refused.

    Attributes:
        problem: why.
        close_code: what an accepted connection would have been closed with.
    """

    def __init__(self, denial: Denial) -> None:
        super().__init__(str(denial.problem))
        self.problem: Problem = denial.problem
        self.close_code = denial.close_code


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request.

    Attributes:
        req_id: of the request.
        events: those that carry it, in order, without ``ws.complete``.
        problem: that ended it, or None.
    """

    req_id: str
    events: list[EventEnvelope] = field(default_factory=list)
    problem: ProblemDetails | None = None

    def expect(self, event: type[EventT]) -> EventT:
        """Return the first event of a class.

        Raises:
            AssertionError: there is none; it shows what came. Or what travels cannot be read back as the class.
        """
        return find_event(self.events, event, otherwise=self.problem)


class Client:
    """One connection to a hub, in memory; made by `connect`.

    Attributes:
        hub: that it is connected to; hand it to `connect` for another connection.
        transport: what the server writes to; stop reading to see backpressure.
    """

    def __init__(self, hub: Hub, session: Session, transport: MemoryTransport, codec: Codec) -> None:
        self.hub = hub
        self.transport = transport
        self._session = session
        self._codec = codec
        transport.on_close = session.closed
        # What was read, for who waits for it: one reads for all, as calls may run at the same time.
        self._reading: asyncio.Task[bool] | None = None
        self._readers = 0
        self._calls: dict[str, deque[_Message]] = {}
        self._aside: deque[_Message] = deque()
        self._raw: deque[str | bytes] = deque()

    @property
    def connection_id(self) -> str:
        """The id of this connection."""
        return self._session.id

    @property
    def state(self) -> dict[str, Any]:
        """The state of this connection on the server."""
        return self._session.state

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that the server has this connection in."""
        return self._session.rooms

    async def call(self, action: str, payload: Mapping[str, Any] | None = None) -> Reply:
        """Send a request and wait for its end. Several may be waited for at the same time.

        Args:
            action: its name.
            payload: a JSON object.

        Raises:
            AssertionError: the connection was closed, or no end came within five seconds.
        """
        req_id = new_id()
        events: list[EventEnvelope] = []
        answers = self._calls[req_id] = deque()
        try:
            await self._request(req_id, action, payload)
            while True:
                message = await self._next(answers, f"the end of {action!r}")
                if isinstance(message, ProblemDetails):
                    return Reply(req_id, events, message)
                if message.event == "ws.complete":
                    return Reply(req_id, events)
                events.append(message)
        finally:
            del self._calls[req_id]

    async def send(self, action: str, payload: Mapping[str, Any] | None = None) -> str:
        """Send a request and do not wait; return its ``req_id``."""
        req_id = new_id()
        await self._request(req_id, action, payload)
        return req_id

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        await self._session.receive(frame)

    async def receive(self) -> EventEnvelope | ProblemDetails:
        """Return the next message that no `call` has waited for.

        Raises:
            AssertionError: the connection was closed, or nothing came within five seconds.
        """
        return await self._next(self._aside, "a message")

    async def receive_raw(self) -> str | bytes:
        """Return the next frame that is neither an event nor a problem, as `Hub.send` sends them.

        Raises:
            AssertionError: the connection was closed, or none came within five seconds.
        """
        return await self._next(self._raw, "a frame that is no message")

    async def expect(self, event: type[EventT]) -> EventT:
        """Return the next event of a class; what comes before it is passed over.

        Raises:
            AssertionError: it does not come; shows what came instead. Or what travels cannot be read back as the class.
        """
        came: list[EventEnvelope] = []
        problem: ProblemDetails | None = None
        while True:
            try:
                message = await self.receive()
            except AssertionError as error:
                raise missing_event(came, event, otherwise=problem, ended=str(error)) from None
            if isinstance(message, ProblemDetails):
                problem = message
            elif message.event == event.event_name:
                return as_event(message, event)
            else:
                came.append(message)

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes the connection; return the code and the reason.

        Raises:
            AssertionError: it does not within five seconds.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                while await self._read():
                    pass
        except TimeoutError:
            raise AssertionError("The server did not close the connection.") from None
        return self.transport.close_code or 0, self.transport.close_reason or ""

    async def disconnect(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """End the connection from the client's side, and wait until the server has let go of it."""
        self._session.closed(code, reason)
        await self._session.finished()

    async def _request(self, req_id: str, action: str, payload: Mapping[str, Any] | None) -> None:
        message = {"msg_id": new_id(), "req_id": req_id, "action": action, "payload": dict(payload or {})}
        await self.send_raw(self._codec.encode(to_json(message).decode()))

    async def _next(self, box: deque[AnyT], what: str) -> AnyT:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not box:
                    if not await self._read():
                        code, reason = self.transport.close_code, self.transport.close_reason
                        raise AssertionError(f"The connection was closed ({code} {reason}) while waiting for {what}.")
        except TimeoutError:
            hint = " What came besides is no message; receive_raw() returns it." if self._raw else ""
            raise AssertionError(f"Waited {_PATIENCE:g} seconds for {what}.{hint}") from None
        return box.popleft()

    async def _read(self) -> bool:
        """Wait until a frame has come, whoever waits for it; False when the connection was closed."""
        reading = self._reading
        if reading is None or reading.done():
            reading = self._reading = asyncio.create_task(self._take_frame())
        self._readers += 1
        try:
            return await asyncio.shield(reading)
        finally:
            self._readers -= 1
            if self._reading is not None and not self._readers:
                self._reading.cancel()
                self._reading = None

    async def _take_frame(self) -> bool:
        frame = await self.transport.next_frame()
        if frame is None:
            return False
        message = self._message(frame)
        if message is None:
            self._raw.append(frame)
        else:
            self._calls.get(message.req_id or "", self._aside).append(message)
        return True

    def _message(self, frame: str | bytes) -> _Message | None:
        try:
            document = from_json(self._codec.decode(frame))
            return EventEnvelope(**document) if "event" in document else ProblemDetails(**document)
        except (ValueError, TypeError):  # no JSON, no object, or one of the application's own
            return None


@asynccontextmanager
async def connect(
    target: Router | Hub | None = None,
    *,
    user_id: object = None,
    connection_id: str | None = None,
    rooms: Iterable[Audience | str] = (),
    state: Mapping[str, Any] | None = None,
    token: str | None = None,
    path: str = "/ws/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    subprotocols: Iterable[str] = (V1_JSON,),
    **options: Unpack[HubOptions],
) -> AsyncGenerator[Client]:
    """Connect to an application in memory.

    Args:
        target: a registry, for which a hub is made; or a hub, to be one of its connections. None is the default
            registry.
        user_id: who connects; None is anonymous, `NOT_GIVEN` asks ``authenticate``.
        connection_id: as for ``handle_websocket``.
        rooms: as for ``handle_websocket``.
        state: as for ``handle_websocket``.
        token: the credential that comes along as ``Authorization: Bearer``; `NOT_GIVEN` as the user id has it checked.
        path: of the handshake.
        query: of the handshake, without the question mark.
        headers: of the handshake.
        subprotocols: what the client offers. `call` needs ``wsproto.v1.json`` or ``wsproto.v1.msgpack``, which tell the
            end of an action.
        options: the settings of the hub that is made.

    Raises:
        Refused: the connection was refused.
        TypeError: options for a hub that exists.
    """
    if isinstance(target, Hub):
        if options:
            raise TypeError(f"The hub has its settings already; remove {', '.join(sorted(options))}.")
        hub = target
    else:
        if target is not None:
            options["registry"] = target
        hub = Hub(Settings.of(options))
    info = ConnectionInfo(
        path=path,
        query=query,
        headers=Headers(headers or {}),
        subprotocols=tuple(subprotocols),
        token=token,
        source="bearer" if token is not None else None,
    )
    transport = MemoryTransport(info)
    admission = await hub.admit(info, user_id=user_id, connection_id=connection_id, rooms=rooms, state=state)
    if isinstance(admission, Denial):
        raise Refused(admission)
    session = hub.open(transport, admission)
    client = Client(hub, session, transport, admission.codec)
    try:
        # The rooms are joined and ``on_connect`` has run.
        await session.settle(_PATIENCE)
        if session.negotiated:
            await client._next(client._aside, "ws.ready")
        yield client
    finally:
        await client.disconnect()
        if not isinstance(target, Hub):
            await hub.stop()
