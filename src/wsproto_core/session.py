"""One connection: its inbox, its outbox, its numbering, and its end, which comes once.

A frame is handled when it comes, eagerly, unless one before it still runs: then it waits in the inbox, and while the
inbox is full the host does not read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Coroutine
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from wsproto_core.admission import close_code_of
from wsproto_core.closing import CloseCode, check_close_code, close_reason
from wsproto_core.context import ActionContext
from wsproto_core.decoding import Rejected
from wsproto_core.dispatcher import Call
from wsproto_core.encoding import EncodedEvent, encode_json, encode_payload, event_text, json_text, recipient_members
from wsproto_core.errors import UnserializableEventError
from wsproto_core.ids import new_id
from wsproto_core.lifetimes import Lifetime, silence_of
from wsproto_core.outbox import Outbox, frame_size
from wsproto_core.problems import Problem
from wsproto_core.rates import TokenBucket
from wsproto_core.recipients import Audience, connection
from wsproto_core.tasks import call_on, is_from_outside, running_loop
from wsproto_core.turns import BURST_FRAMES, BURST_SECONDS, Life, Turns, wait_for_tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from wsproto_core.admission import Admission
    from wsproto_core.codec import Codec
    from wsproto_core.events import Event
    from wsproto_core.hub import Hub
    from wsproto_core.security import Identity, UserId
    from wsproto_core.transport import ConnectionInfo, Surroundings, Transport

__all__ = ["Session"]

log = logging.getLogger("wsproto_core.session")

# The closing handshake, and the hooks and handlers of a connection that has ended.
_CLOSE_SECONDS: Final = 5.0


class Session(Turns):
    """One connection. Made by `Hub.open`; used by the host through `receive`, `closed` and `finished`.

    Attributes:
        hub: that it belongs to.
        id: of the connection.
        info: what it told about itself.
        user_id: who is behind it; None is anonymous.
        scopes: what the user's credential allows.
        authenticated: False until a connection that authenticates later has done so.
        negotiated: whether the client opted in to section 5 of the protocol.
        surroundings: what handlers find around them.
        close_code, close_reason: how it ended; None before.
        topics: what it listens to, by name; after its end, what it listened to.
        own_subscriptions: those of them that its client asked for.
        threadsafe: whether `push` may be called from any thread.
    """

    threadsafe: ClassVar[bool] = False

    __slots__ = (
        "_bucket", "_burst", "_burst_seconds", "_codec", "_ending", "_gone", "_lifetime", "_own_members", "_seq",
        "_state", "_surely_short", "_transport",
        "authenticated", "close_code", "close_reason", "info", "negotiated", "own_subscriptions", "scopes", "topics",
        "user_id",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        transport: Transport,
        admission: Admission,
        loop: asyncio.AbstractEventLoop,
        surroundings: Surroundings,
    ) -> None:
        super().__init__()
        self.hub = hub
        self.surroundings = surroundings
        self.id = admission.connection_id
        self.info: ConnectionInfo = admission.info
        self.negotiated = admission.codec.subprotocol is not None
        self.authenticated = True
        self.user_id: UserId | None = None
        self.scopes: frozenset[str] = frozenset()
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.topics: dict[str, Audience] | None = None
        self.own_subscriptions: set[str] | None = None
        self._state = admission.state
        self._codec: Codec = admission.codec
        self._transport = transport
        self._loop = loop
        self._outbox = Outbox(transport, hub.limits, self, loop)
        self._own_members: str | None = None
        self._seq = 0
        self._life = Life.OPEN
        self._requests: dict[str, Call] | None = {} if self.negotiated else None
        self._gate = hub.gate
        self._surely_short = (hub.limits.max_message_bytes or sys.maxsize) // 4
        self._burst = 0
        self._burst_seconds = 0.0
        self._gone: asyncio.Future[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._lifetime: Lifetime | None = None
        limits = hub.limits
        self._bucket = TokenBucket(limits.rate, perf_counter()) if limits.rate is not None else None
        silence = silence_of(limits, told_to_speak=self.negotiated and not getattr(transport, "pings", False))
        if silence is not None or limits.max_lifetime is not None:
            self._mortal.limit(limits.max_lifetime, silence)

    async def receive(self, frame: str | bytes) -> None:
        """Take one frame; return once it is handled or queued, which is the backpressure.

        Args:
            frame: a text frame as str, a binary frame as bytes.
        """
        if self._life is not Life.OPEN:
            return
        # A character is at most four bytes: what is short enough needs no measuring.
        if len(frame) > self._surely_short and self._is_too_long(frame):
            await self._refuse_size()
            return
        started = perf_counter()
        if self._lifetime is not None:
            self._lifetime.heard = started
        if self._bucket is not None and (limited := self._limited(frame, self._bucket, started)) is not None:
            if self._is_occupied():
                await self._queue(limited, frame_size(frame))
                return
            self._begin(limited)
        elif self._requests is not None:
            request = self._accept_request(self._decode(frame), self._requests)
            if request.rejected is None and request.action.name == "ws.cancel" and self._may_cancel():
                self._launch(request, beside=True)
            elif self._is_occupied():
                await self._queue(request, frame_size(frame))
                return
            else:
                self._begin(request)
        elif self._is_occupied():
            await self._queue(frame, frame_size(frame))
            return
        else:
            self._begin(self._decode(frame))
        self._burst += 1
        self._burst_seconds += perf_counter() - started
        if self._burst >= BURST_FRAMES or self._burst_seconds > BURST_SECONDS:
            self._burst = 0
            self._burst_seconds = 0.0
            await asyncio.sleep(0)

    def closed(self, code: int = CloseCode.ABNORMAL, reason: str = "") -> None:
        """Note that the connection has ended: cancel what runs, let go of everything, run ``on_disconnect`` once.

        Args:
            code: how it ended; 1005 or 1006 where there was no close frame.
            reason: what the close frame said.
        """
        if self._life is Life.CLOSED:
            return
        self._life = Life.CLOSED
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        self._outbox.close()
        self._outbox.stop_writer()
        self._inbox = None
        self._wake_reader()
        if self._lifetime is not None:
            self._lifetime.stop()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        running = self._stop_all("disconnect")
        self.hub.forget(self)
        self._ending = self._loop.create_task(self._end(running))

    async def finished(self) -> None:
        """Wait until the handlers have been let go and ``on_disconnect`` has run."""
        if self._ending is not None:
            await asyncio.shield(self._ending)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of this connection; another connection may have another."""
        return self._loop

    @property
    def state(self) -> dict[str, Any]:
        """A dict that lives as long as the connection and belongs to the application."""
        if self._state is None:
            self._state = {}
        return self._state

    @property
    def is_open(self) -> bool:
        """Whether messages are taken and sent."""
        return self._life is Life.OPEN

    @property
    def own_members(self) -> str:
        """The recipient members of an event to this connection alone, as JSON text."""
        if self._own_members is None:
            self._own_members = recipient_members(connection(self.id))
        return self._own_members

    @property
    def rooms(self) -> frozenset[str]:
        """The names of the rooms that it is in; after its end, those that it was in."""
        audiences = tuple((self.topics or {}).values())
        return frozenset(audience.id for audience in audiences if audience.kind == "room")

    def answer(self, event: EncodedEvent, recipient: str, req_id: str | None = None) -> Awaitable[None]:
        """Send an event that this connection asked for; awaiting it waits while the outbox is full."""
        if self._life is not Life.OPEN:
            return _nothing()
        frame = self._codec.encode(event.text(self._seq + 1, recipient, req_id))
        self._seq += 1
        return self._outbox.answer(frame)

    def answer_event(self, event: Event, call: Call) -> Awaitable[None]:
        """Send the event that a call answers with to the asker alone; see `answer`."""
        payload = encode_payload(event)
        fanout = self.hub.fanout
        msg_id = new_id()
        if fanout.observers:
            fanout.observe(EncodedEvent(msg_id, event.event_name, payload), (connection(self.id),))
        if self._life is not Life.OPEN:
            call.events += 1
            return _nothing()
        members = self._own_members or self.own_members
        text = event_text(msg_id, json_text(event.event_name), payload, self._seq + 1, members, call.req_id)
        frame = self._codec.encode(text)
        call.events += 1
        self._seq += 1
        return self._outbox.answer(frame)

    def push(self, event: EncodedEvent, recipient: str) -> bool:
        """Send an event that comes from elsewhere, on this connection's loop; say whether it was queued."""
        if self._life is not Life.OPEN:
            return False
        frame = self._encode_pushed(event, recipient)
        if frame is None:
            return False
        self._seq += 1
        return self._outbox.push(frame, event.key)

    def push_raw(self, frame: str | bytes) -> bool:
        """Send a frame as it is; say whether it was queued."""
        return self._life is Life.OPEN and self._outbox.push(frame)

    async def end(self, call: Call, problem: Problem | None) -> None:
        """Send the end of a call: its problem, or ``ws.complete`` to who opted in to it (protocol section 5)."""
        if self._life is not Life.OPEN:
            return
        if problem is not None:
            await self._send_problem(problem, call)
        else:
            self._seq += 1
            payload = f'{{"events":{call.events}}}'
            text = event_text(new_id(), '"ws.complete"', payload, self._seq, self.own_members, call.req_id)
            await self._outbox.answer(self._codec.encode(text))

    def announce(self, name: str, payload: dict[str, Any]) -> None:
        """Send one of the protocol's own events to who opted in to section 5."""
        if self.negotiated:
            self.push(EncodedEvent(new_id(), name, encode_json(payload, name)), self.own_members)

    def identify(self, identity: Identity) -> None:
        """Note who is behind the connection, and when that ends."""
        self.authenticated = True
        self.user_id = identity.user_id
        self.scopes = identity.scopes
        if identity.state:
            self.state.update(identity.state)
        if self._lifetime is not None or identity.expires_at is not None:
            self._mortal.expire_at(identity.expires_at, self.hub.limits.credential_grace or 0.0)

    def authenticate_within(self, seconds: float | None) -> None:
        """Close the connection unless it authenticates in time."""
        self.authenticated = False
        if seconds is not None:
            self._mortal.authenticate_within(seconds)

    def close(self, code: int, reason: str) -> None:
        """Close the connection after what is queued has been written; whatever comes from the client is ignored now.

        Called on the connection's own loop; a second close changes nothing.
        """
        if self._life is not Life.OPEN:
            return
        self._life = Life.CLOSING
        self.close_code, self.close_reason = code, close_reason(reason)
        self._inbox = None
        self._wake_reader()
        self.hub.background(self._close(code, close_reason(reason)), self._loop)

    def close_threadsafe(self, code: int, reason: str) -> None:
        """Close the connection, from any thread or loop."""
        if running_loop() is self._loop:
            self.close(code, reason)
        else:
            call_on(self._loop, self.close, code, reason)

    async def close_soon(self, code: int, reason: str) -> None:
        """Close the connection on behalf of the application; see `ActionContext.close`."""
        check_close_code(code)
        self.close(code, reason)

    def bridge(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Return the work to be awaited; in a thread that has no loop, do it, and return what is done."""
        if running_loop() is not None:
            return work
        done: asyncio.Future[Any] = asyncio.Future(loop=self._loop)
        result = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        self._loop.call_soon_threadsafe(done.set_result, result)
        return done

    async def gone(self, timeout: float | None) -> None:
        """Wait until the connection has ended, at most so many seconds."""
        if self._life is not Life.CLOSED:
            if self._gone is None:
                self._gone = self._loop.create_future()
            await asyncio.wait([self._gone], timeout=timeout)
        await self.finished()

    def on_slow_consumer(self, why: str) -> None:
        """Cut a connection whose client does not read."""
        log.info("connection %s is closed: %s", self.id, why)
        self.hub.count("slow_consumers")
        self._outbox.close()
        self.close(CloseCode.TRY_AGAIN_LATER, f"Too slow: {why}. Connect again and read faster.")

    def on_lost(self, events: int) -> None:
        """Count events that a slow client never gets; the hole in ``seq`` tells it."""
        self.hub.count("lost_events", events)

    def on_write_failed(self, error: Exception) -> None:
        """Give up a connection that cannot be written to."""
        log.debug("connection %s cannot be written to", self.id, exc_info=error)
        self.close(CloseCode.INTERNAL_ERROR, "The connection could not be written to.")
        # No close frame will reach the client, so this is no code that the connection was closed with.
        self.close_code, self.close_reason = CloseCode.ABNORMAL, ""

    @property
    def _mortal(self) -> Lifetime:
        if self._lifetime is None:
            self._lifetime = Lifetime(self, self._loop)
        return self._lifetime

    def _limited(self, frame: str | bytes, bucket: TokenBucket, now: float) -> Call | None:
        """Return a call that says so if the client sends too much, else None."""
        wait = bucket.take(now)
        if not wait:
            return None
        self.hub.count("rate_limited")
        call = Call(self, b"")
        with suppress(ValueError):
            _, call.req_id = self.hub.decoder.names_in(self._codec.decode(frame))
        seconds = math.ceil(wait * 1000) / 1000
        problem = Problem("You send too much; wait a little.", code="rate_limited", retry_after=seconds)
        call.reject(Rejected(problem, call.req_id))
        return call

    def _decode(self, frame: str | bytes) -> Call:
        raw = b""
        try:
            try:
                raw = self._codec.decode(frame)
            except ValueError as error:
                raise Rejected(Problem(str(error), code="invalid_websocket_message")) from None
            action, msg_id, req_id, payload = self.hub.decoder.decode(raw)
        except Rejected as rejected:
            call = Call(self, raw)
            call.reject(rejected)
            return call
        except BaseException as error:
            # A validator of the application that fails in its own way is a handler that fails.
            call = Call(self, raw)
            name, call.req_id = self.hub.decoder.names_in(raw)
            call.reject(Rejected(self.hub.dispatcher.internal_error(call, error, name), call.req_id))
            return call
        call = Call(self, raw)
        call.action = action
        call.msg_id = msg_id if msg_id is not None else new_id()
        call.req_id = req_id
        call.payload = payload
        return call

    def _is_too_long(self, frame: str | bytes) -> bool:
        maximum = self.hub.limits.max_message_bytes
        return maximum is not None and frame_size(frame) > maximum

    async def _refuse_size(self) -> None:
        maximum = self.hub.limits.max_message_bytes
        problem = Problem(f"A message may have at most {maximum} bytes.", code="message_too_large")
        await self._outbox.answer(self._codec.encode(self.hub.problem_text(problem, self.info)))
        self.close(CloseCode.MESSAGE_TOO_BIG, f"A message may have at most {maximum} bytes.")

    def _encode_pushed(self, event: EncodedEvent, recipient: str) -> str | bytes | None:
        try:
            return self._codec.encode(event.text(self._seq + 1, recipient))
        except UnserializableEventError as error:
            # Whoever emits it may speak another codec, which carries it, and so may the other receivers.
            log.warning("the event %r does not reach connection %s: %s", event.name, self.id, error)
            return None

    async def _send_problem(self, problem: Problem, call: Call) -> None:
        try:
            frame = self._codec.encode(self.hub.problem_text(problem, self.info, call.req_id))
        except Exception as error:
            internal = self.hub.dispatcher.internal_error(call, error)
            frame = self._codec.encode(self.hub.problem_text(internal, self.info, call.req_id))
        await self._outbox.answer(frame)

    async def refuse(self, problem: Problem) -> None:
        """Tell a problem that answers no message, and close."""
        code = CloseCode.INTERNAL_ERROR
        try:
            code = close_code_of(problem)
            frame = self._codec.encode(self.hub.problem_text(problem, self.info))
        except Exception:
            # A class of the application's may lack what every problem has. It is refused all the same.
            log.exception("connection %s cannot be told why it is refused", self.id)
            problem = Problem("Something went wrong on the server.", code="internal_error")
            frame = self._codec.encode(self.hub.problem_text(problem, self.info))
        await self._outbox.answer(frame)
        self.close(code, problem.detail or problem.title)

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._outbox.flushed()
        except TimeoutError:
            log.debug("connection %s did not read its last messages", self.id)
        self._outbox.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._transport.close(code, reason)
        except Exception as error:
            # The other side is gone, or does not take part in the closing handshake; the host ends it.
            log.debug("connection %s could not be closed properly", self.id, exc_info=error)

    async def _end(self, running: list[asyncio.Task[Any]]) -> None:
        await wait_for_tasks(running, _CLOSE_SECONDS)
        try:
            async with asyncio.timeout(self.hub.limits.action_timeout):
                await self.hub.run_on_disconnect(ActionContext(self), self.close_code or 0, self.close_reason or "")
        except BaseException as error:
            if is_from_outside(error):
                raise
            log.exception("on_disconnect failed for connection %s", self.id)

    def __repr__(self) -> str:
        return f"<Session {self.id} user={self.user_id!r} {self._life.name.lower()}>"


async def _nothing() -> None:
    """Be awaited where there is nothing to do."""
