"""One process: its connections, who listens to what, and emitting to them from anywhere.

The facade that hosts and applications hold. A connection keeps the event loop that it was opened on; the hub may be
used from any thread.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, cast

from wsproto_core.autodiscover import autodiscover
from wsproto_core.backplane import backplane_from
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.closing import CloseCode
from wsproto_core.codec import PLAIN, V1_JSON, Codec, JsonCodec, choose_subprotocol
from wsproto_core.context import ActionContext
from wsproto_core.decoding import Decoder
from wsproto_core.dispatcher import Call, Dispatcher
from wsproto_core.encoding import EncodedEvent, encode_event, encode_json, recipient_members
from wsproto_core.envelopes import EventEnvelope
from wsproto_core.errors import (
    BroadcastNotAllowedError,
    MissingAudienceError,
    UnknownRecipientError,
)
from wsproto_core.events import Emittable, Event, as_audiences, target_of
from wsproto_core.handlers import positional_count
from wsproto_core.ids import new_id
from wsproto_core.index import Index
from wsproto_core.limits import Limits
from wsproto_core.problems import Problem
from wsproto_core.publications import Publication, Publisher
from wsproto_core.recipients import Audience, SupportsAudience, connection, room, user
from wsproto_core.registry import Registry
from wsproto_core.security import NOT_GIVEN, Identity, OriginPolicy, as_identity
from wsproto_core.session import Session, call_on
from wsproto_core.settings import Settings
from wsproto_core.signals import DrainSignals
from wsproto_core.tasks import running_loop
from wsproto_core.transport import ConnectionInfo, Transport

__all__ = ["Admission", "Denial", "Hub", "Stats"]

log = logging.getLogger("wsproto_core.hub")
security_log = logging.getLogger("wsproto_core.security")

Observer = Callable[[EncodedEvent, tuple[Audience, ...]], None]
"""Takes an event and its audiences, on whatever thread it is emitted."""

_Audiences = Audience | SupportsAudience | Iterable[Audience | SupportsAudience]


@dataclass(frozen=True, slots=True)
class Denial:
    """A connection that is refused.

    Attributes:
        problem: why, for the client: the body of an HTTP response before accept, or a message after it.
        close_code: what closes a connection that was accepted already.
    """

    problem: Problem
    close_code: int


@dataclass(slots=True, eq=False)
class Admission:
    """A connection that may be opened; it holds a place until `Hub.open` or `Hub.release`.

    Attributes:
        connection_id: its id.
        info: what it told about itself.
        identity: who is behind it; None authenticates later.
        subprotocol: what the host answers the handshake with.
        codec: how its messages travel.
        rooms: that it is in from the beginning.
        state: what its state begins with.
    """

    connection_id: str
    info: ConnectionInfo
    identity: Identity | None
    subprotocol: str | None
    codec: Codec
    rooms: tuple[Audience | str, ...] = ()
    state: dict[str, Any] | None = None
    open: bool = field(default=False, init=False)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a hub counted since it was made.

    Attributes:
        connections: open now.
        opened: in all.
        topics: that somebody in this process listens to.
        counters: slow consumers cut, connections refused, malformed messages from the backplane.
    """

    connections: int
    opened: int
    topics: int
    counters: Mapping[str, int]


class Hub:
    """The connections of one process.

    Args:
        settings: how it behaves; made from the keyword arguments of `Settings`.
    """

    __wsproto_inject__: ClassVar[str] = "hub"

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.limits: Limits = self.settings.limits
        self.registry: Registry = cast("Registry", self.settings.registry)
        self.id = secrets.token_hex(16)
        self.decoder = Decoder(self.registry, BUILTIN_ACTIONS, require_ids=self.settings.require_ids)
        self.dispatcher = Dispatcher(self)
        self._origins = OriginPolicy(self.settings.allowed_origins)
        self._codecs: dict[str, Codec] = {V1_JSON: JsonCodec(V1_JSON)}
        self._index = Index()
        self._lock = threading.Lock()
        self._reserved: dict[str, Admission] = {}
        self._opened = 0
        self._counters: Counter[str] = Counter()
        self._background: set[asyncio.Task[Any]] = set()
        self._workers: ThreadPoolExecutor | None = None
        backplane = backplane_from(self.settings.backplane)
        self._publisher = Publisher(backplane, self.id, self._on_publication, self.count) if backplane else None
        self.observers: list[Observer] = []
        """Told of every event that is emitted in this process; for tests and telemetry."""
        self._draining = False
        self._signals: DrainSignals | None = None
        hook = self.settings.on_disconnect
        self._on_disconnect_arity = positional_count(hook) if hook is not None else 0

    # Coming in

    async def admit(
        self,
        info: ConnectionInfo,
        *,
        user_id: object = NOT_GIVEN,
        connection_id: str | None = None,
        rooms: Iterable[Audience | str] = (),
        state: Mapping[str, Any] | None = None,
    ) -> Admission | Denial:
        """Decide whether a connection may be opened, before it is accepted.

        Args:
            info: what it told about itself.
            user_id: who is behind it, when the host knows; else ``authenticate`` is asked.
            connection_id: an id of the application's own; by default a random one.
            rooms: that it is in from the beginning.
            state: what its state begins with.

        Raises:
            TypeError: a user id that is none.
            InvalidTopicError: a connection id that is none.
        """
        if self._draining:
            return self._deny(
                info, Problem("The server is going away.", code="unavailable"), CloseCode.TRY_AGAIN_LATER
            )
        if not self._origins.allows(info):
            security_log.warning(
                "origin refused: %r on %s; expected %s. Allow it with allowed_origins=[…].",
                info.headers.get("origin"),
                info.path,
                self._origins.describe(info),
                extra={"reason": "origin", "origin": info.headers.get("origin"), "peer": info.peer},
            )
            problem = Problem("Pages of this origin may not connect here.", code="forbidden")
            return self._deny(info, problem, CloseCode.POLICY_VIOLATION)
        try:
            identity = await self._identify(info, user_id)
        except Problem as problem:
            return self._deny(info, problem, _close_code_of(problem))
        admission = Admission(
            connection_id=new_id() if connection_id is None else connection(connection_id).id,
            info=info,
            identity=identity,
            subprotocol=(chosen := choose_subprotocol(info.subprotocols, tuple(self._codecs))),
            codec=self._codecs.get(chosen or "", PLAIN),
            rooms=tuple(rooms),
            state=dict(state) if state is not None else None,
        )
        return self._reserve(admission)

    def open(self, transport: Transport, admission: Admission) -> Session:
        """Begin a connection that was admitted and accepted. Called on the loop that it will live on.

        Raises:
            ValueError: the admission was used already.
        """
        if admission.open:
            raise ValueError("An admission opens one connection.")
        admission.open = True
        session = Session(self, transport, admission, asyncio.get_running_loop())
        identity = admission.identity
        if identity is not None:
            session.identify(identity)
        else:
            session.authenticate_within(self.limits.authentication_timeout)
        with self._lock:
            self._reserved.pop(admission.connection_id, None)
            self._opened += 1
        self._index.add(session)
        if session.negotiated or admission.rooms or self.settings.on_connect is not None or self._publisher is not None:
            session.start(self._begin(session, admission))
        return session

    def release(self, admission: Admission) -> None:
        """Give back the place of a connection that was admitted but never opened."""
        with self._lock:
            if self._reserved.get(admission.connection_id) is admission:
                del self._reserved[admission.connection_id]

    def forget(self, session: Session) -> None:
        """Let go of a connection that has ended."""
        topics = self._index.remove(session)
        if self._publisher is not None and topics:
            self.background(self._publisher.unsubscribe_all(topics), session.loop)

    # Who is there

    @property
    def connections(self) -> Mapping[str, Session]:
        """The open connections of this process by id."""
        return self._index.connections

    @property
    def draining(self) -> bool:
        """Whether the hub takes no more connections."""
        return self._draining

    def room_size(self, name: str | int) -> int:
        """Return how many connections of this process are in a room."""
        return len(self._index.members(room(name).topic or ""))

    def rooms(self) -> list[str]:
        """Return the names of the rooms that somebody of this process is in."""
        return self._index.rooms()

    def stats(self) -> Stats:
        """Return what was counted."""
        return Stats(
            connections=len(self._index.connections),
            opened=self._opened,
            topics=self._index.topic_count,
            counters=dict(self._counters),
        )

    def problem_text(self, problem: Problem, info: ConnectionInfo, req_id: str | None = None) -> str:
        """Return a problem as it travels to a connection (protocol section 4).

        Raises:
            UnserializableEventError: an extension member holds what JSON cannot carry.
        """
        document = problem.to_dict(
            msg_id=problem.msg_id or new_id(),
            req_id=req_id,
            base_url=self.settings.problem_type_base_url,
            instance=info.path,
        )
        return encode_json(document, f"The problem {problem.code!r}")

    def count(self, what: str) -> None:
        """Count something for `stats`."""
        self._counters[what] += 1

    async def join(self, session: Session, audience: Audience) -> None:
        """Subscribe a connection to a room or a topic; see `ActionContext.join`."""
        name = _joinable(audience)
        hook = self.settings.authorize_subscribe
        if hook is not None:
            allowed = hook(ActionContext(session), audience)
            if inspect.isawaitable(allowed):
                allowed = await allowed
            if not allowed:
                raise Problem(f"You may not join this {audience.kind}.", code="forbidden")
        if self._index.join(session, name, audience) and self._publisher is not None:
            await self._publisher.subscribe(name)

    async def leave(self, session: Session, audience: Audience) -> None:
        """Unsubscribe a connection; see `ActionContext.leave`."""
        name = _joinable(audience)
        if self._index.leave(session, name) and self._publisher is not None:
            await self._publisher.unsubscribe(name)

    # Going out

    async def emit(
        self,
        event: Event | Emittable,
        to: _Audiences | None = None,
        *,
        exclude: str | Iterable[str] = (),
    ) -> int:
        """Emit an event from anywhere.

        Args:
            event: what to send.
            to: the audience or audiences, if the event does not say it itself.
            exclude: ids of connections that do not get it.

        Returns:
            to how many connections of this process it was queued.

        Raises:
            MissingAudienceError, UnknownRecipientError, BroadcastNotAllowedError, UnserializableEventError.
        """
        excluded = frozenset((exclude,) if isinstance(exclude, str) else exclude)
        return await self.route(event, as_audiences(to), exclude=excluded)

    async def emit_from(self, session: Session, event: Event | Emittable, to: _Audiences | None = None) -> int:
        """Emit an event on behalf of a connection that asked nothing: in ``on_connect``, say."""
        audiences = as_audiences(to)
        if not audiences and isinstance(event, Event) and not target_of(event).audiences:
            audiences = (connection(session.id),)
        return await self.route(event, audiences)

    def emit_sync(
        self, event: Event | Emittable, to: _Audiences | None = None, *, exclude: str | Iterable[str] = ()
    ) -> None:
        """Emit an event from any thread, without an event loop; never waits.

        On a loop's thread, what this process holds is delivered when the loop gets to it.

        Raises:
            MissingAudienceError, UnknownRecipientError, BroadcastNotAllowedError, UnserializableEventError.
        """
        excluded = frozenset((exclude,) if isinstance(exclude, str) else exclude)
        audiences = as_audiences(to)
        if isinstance(event, Event):
            target = target_of(event)
            audiences = audiences or target.audiences
            excluded |= target.exclude
            self._check_audiences(audiences, type(event).__name__)
            encoded = encode_event(event, new_id())
            self.observe(encoded, audiences)
            if all(audience.topic is not None or audience.kind in {"websocket", "everyone"} for audience in audiences):
                self._deliver(encoded, [(each, self._local(each)) for each in audiences], excluded, None)
                if self._publisher is not None:
                    self._somewhere(self._publisher.publish(encoded, audiences, excluded))
                return
            self._somewhere(self._route(encoded, audiences, excluded, None))
            return
        self._somewhere(self.emit(event, audiences or None, exclude=excluded))

    async def trigger(self, name: str, payload: Any = None, *, to: _Audiences | None = None) -> int:
        """Run an event handler on what the server was given, and emit the event that it makes.

        Args:
            name: that it was registered under.
            payload: validated as the handler's payload type.
            to: the audience or audiences, if the event does not say it itself.

        Returns:
            to how many connections of this process it was queued.

        Raises:
            LookupError: no event handler of that name.
            pydantic.ValidationError: the payload is not what the handler takes.
        """
        handler = self.registry.event_handlers.get(name)
        if handler is None:
            raise LookupError(f"There is no event handler {name!r}; there are: {sorted(self.registry.event_handlers)}.")
        made = await _result(handler.run(cast("Call", _Triggered(self, handler.validate(payload)))))
        reached = 0
        for event in made if isinstance(made, (list, tuple)) else [made]:
            if event is not None:
                reached += await self.emit(event, to)
        return reached

    async def send(self, connection_id: str, frame: str | bytes) -> bool:
        """Send a frame as it is, for what is no event; it has no number.

        Returns:
            whether the connection is one of this process and took it.
        """
        session = self._index.connections.get(connection_id)
        if session is None:
            return False
        if running_loop() is session.loop:
            return session.push_raw(frame)
        return call_on(session.loop, session.push_raw, frame)

    async def disconnect(
        self, audience: Audience | SupportsAudience, code: int = CloseCode.NORMAL, reason: str = ""
    ) -> int:
        """Close every connection of an audience.

        Args:
            audience: ``user(42)``, ``room("lobby")``, ``connection(id)``.
            code: 1000, a code of `CloseCode` that may be sent, or 3000 to 4999.
            reason: at most 123 bytes of UTF-8.

        Returns:
            how many connections of this process are being closed.
        """
        sessions = [session for each in as_audiences(audience) for session in await self._members(each)]
        for session in sessions:
            session.close_threadsafe(code, reason)
        return len(sessions)

    async def route(
        self,
        event: Event | Emittable,
        audiences: tuple[Audience, ...],
        *,
        exclude: frozenset[str] = frozenset(),
        asker: Call | None = None,
    ) -> int:
        """Serialise an event once and deliver it to its audiences; see `emit`."""
        if isinstance(event, Event):
            target = target_of(event)
            audiences = audiences or target.audiences
            exclude |= target.exclude
            encoded = encode_event(event, new_id())
        else:
            encoded, audiences = await _encode_emittable(event, audiences)
        self._check_audiences(audiences, type(event).__name__)
        self.observe(encoded, audiences)
        return await self._route(encoded, audiences, exclude, asker)

    def observe(self, event: EncodedEvent, audiences: tuple[Audience, ...]) -> None:
        """Tell the observers of an event."""
        for observer in self.observers:
            observer(event, audiences)

    # Running

    @property
    def workers(self) -> ThreadPoolExecutor:
        """The threads that plain functions run in."""
        if self._workers is None:
            with self._lock:
                if self._workers is None:
                    self._workers = ThreadPoolExecutor(thread_name_prefix="wsproto-worker")
        return self._workers

    def discover(self, base_packages: Iterable[str] = ()) -> tuple[str, ...]:
        """Import the conventional modules, as the settings say; see `autodiscover`.

        Returns:
            the names of the modules that were imported.
        """
        if not self.settings.autodiscover:
            return ()
        return autodiscover(base_packages, self.settings.autodiscover_modules, self.settings.autodiscover_packages)

    def background(self, work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        """Run something that nobody waits for, on a loop that runs in this thread; `drain` waits for it."""
        task = loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def install_signal_handlers(self) -> None:
        """Begin the drain at SIGTERM and SIGINT, if the settings say so and this is the main thread."""
        if self.settings.install_signal_handlers and self._signals is None:
            self._signals = DrainSignals.install(self.drain, asyncio.get_running_loop())

    async def drain(self, code: int = CloseCode.SERVICE_RESTART, reason: str = "The server restarts.") -> None:
        """Stop: take no more connections, let running actions end, close all connections at once.

        Running actions get ``Limits.drain_timeout`` seconds, after which their clients are told ``unavailable``.
        Calling it again waits for the same end.

        Args:
            code: that the connections are closed with: 1001 or 1012.
            reason: for the close frame.
        """
        self._draining = True
        timeout = self.limits.drain_timeout
        sessions = list(self._index.connections.values())
        closing = [_on_loop_of(session, self._drain_one(session, code, reason, timeout)) for session in sessions]
        if closing:
            await asyncio.gather(*closing, return_exceptions=True)
        here = asyncio.get_running_loop()
        pending = [task for task in self._background if task.get_loop() is here and task is not asyncio.current_task()]
        if pending:
            await asyncio.wait(pending, timeout=timeout)

    async def stop(self) -> None:
        """Drain, and let go of the backplane and the worker threads."""
        await self.drain()
        if self._signals is not None:
            self._signals.uninstall()
            self._signals = None
        if self._publisher is not None:
            await self._publisher.stop()
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._workers = None

    def start(self) -> None:
        """Take connections again after a stop; a hub starts by itself when it is first used."""
        self._draining = False
        self.decoder.prepare()

    async def run_on_disconnect(self, context: ActionContext[Any], code: int, reason: str) -> None:
        """Run the application's hook."""
        hook = self.settings.on_disconnect
        if hook is not None:
            result = hook(*(context, code, reason)[: self._on_disconnect_arity])
            if inspect.isawaitable(result):
                await result

    async def authenticate_message(self, context: ActionContext[Any], token: str) -> Identity:
        """Ask ``authenticate`` again with the token of a ``ws.authenticate`` message (protocol section 6)."""
        session = self._index.connections.get(context.connection_id)
        authenticate = self.settings.authenticate
        if session is None or authenticate is None:
            raise Problem("This server does not authenticate by message.", code="unauthenticated")
        info = replace(session.info, token=token, source="message")
        identity = as_identity(await _result(authenticate(info)))
        if identity is None or (identity.user_id is None and not session.authenticated):
            raise Problem("The token is not valid.", code="unauthenticated")
        if session.authenticated and session.user_id is not None and str(identity.user_id) != str(session.user_id):
            raise Problem("The token belongs to another user.", code="forbidden")
        session.identify(identity)
        name = self._index.identify(session)
        if name is not None and self._publisher is not None:
            await self._publisher.subscribe(name)
        return identity

    def cancel_request(self, context: ActionContext[Any], req_id: str) -> None:
        """Stop a request of a connection."""
        session = self._index.connections.get(context.connection_id)
        if session is not None:
            session.cancel_request(req_id)

    async def _identify(self, info: ConnectionInfo, user_id: object) -> Identity | None:
        if user_id is not NOT_GIVEN:
            return as_identity(user_id)
        authenticate = self.settings.authenticate
        if authenticate is None:
            return Identity()
        return as_identity(await _result(authenticate(info)))

    def _reserve(self, admission: Admission) -> Admission | Denial:
        """Take a place; the id and the limits are checked under the same lock."""
        limits = self.limits
        info = admission.info
        with self._lock:
            connections = self._index.connections
            if admission.connection_id in connections or admission.connection_id in self._reserved:
                # Two connections of one id would be one for everybody else, so the second never gets in.
                return self._deny(info, Problem("This connection id is in use.", code="conflict"), CloseCode.POLICY_VIOLATION)
            total = len(connections) + len(self._reserved)
            if limits.max_connections is not None and total >= limits.max_connections:
                problem = Problem("The server has as many connections as it takes.", code="unavailable")
                return self._deny(info, problem, CloseCode.TRY_AGAIN_LATER)
            if limits.max_connections_per_user is not None and self._of_user(admission) >= limits.max_connections_per_user:
                problem = Problem("You have as many connections as you may.", code="rate_limited")
                return self._deny(info, problem, CloseCode.TRY_AGAIN_LATER)
            self._reserved[admission.connection_id] = admission
        return admission

    def _of_user(self, admission: Admission) -> int:
        identity = admission.identity
        if identity is None or identity.user_id is None:
            return -1
        audience = user(identity.user_id)
        waiting = sum(
            1
            for other in self._reserved.values()
            if other.identity is not None
            and other.identity.user_id is not None
            and user(other.identity.user_id) == audience
        )
        return waiting + len(self._index.members(audience.topic or ""))

    def _deny(self, info: ConnectionInfo, problem: Problem, close_code: int) -> Denial:
        self.count("refused")
        log.info("connection refused on %s: %s", info.path, problem.code)
        return Denial(problem, close_code)

    async def _begin(self, session: Session, admission: Admission) -> None:
        """Whatever comes before the first message."""
        try:
            if self._publisher is not None:
                await self._publisher.start()
                await self._publisher.subscribe_all(self._index.own_topics(session))
            if session.negotiated:
                await session.announce("ws.ready", self._ready(session, admission.identity))
            for each in admission.rooms:
                await session.join(each)
            if self.settings.on_connect is not None:
                await _result(self.settings.on_connect(ActionContext(session)))
        except Problem as problem:
            await session.refuse(problem, _close_code_of(problem))
        except Exception:
            log.exception("on_connect failed for connection %s", session.id)
            await session.refuse(
                Problem("Something went wrong on the server.", code="internal_error"), CloseCode.INTERNAL_ERROR
            )

    def _ready(self, session: Session, identity: Identity | None) -> dict[str, Any]:
        user_id = session.user_id
        ready = {
            "connection_id": session.id,
            "user_id": user_id if user_id is None or isinstance(user_id, int) else str(user_id),
            "ping_interval": None,
            "max_message_bytes": self.limits.max_message_bytes,
        }
        if identity is not None and identity.expires_at is not None:
            ready["expires_at"] = identity.expires_at
        return ready

    def _check_audiences(self, audiences: tuple[Audience, ...], what: str) -> None:
        if not audiences:
            raise MissingAudienceError(f"{what} goes to nobody: say to=room(…), user(…), topic(…) or connection(…).")
        for audience in audiences:
            if audience.kind == "everyone" and not self.settings.allow_broadcast:
                raise BroadcastNotAllowedError("everyone() needs allow_broadcast=True in the configuration.")

    async def _route(
        self, encoded: EncodedEvent, audiences: tuple[Audience, ...], exclude: frozenset[str], asker: Call | None
    ) -> int:
        resolved = [(audience, await self._members(audience)) for audience in audiences]
        reached = self._deliver(encoded, resolved, exclude, asker)
        if self._publisher is not None:
            await self._publisher.publish(encoded, audiences, exclude)
        if asker is not None:
            own = _first_with(asker.session, resolved, exclude)
            if own is not None:
                asker.events += 1
                await asker.session.answer(encoded, recipient_members(own), asker.req_id)
                reached += 1
        return reached

    def _deliver(
        self,
        encoded: EncodedEvent,
        resolved: list[tuple[Audience, list[Session]]],
        exclude: frozenset[str],
        asker: Call | None,
    ) -> int:
        """Push an event to everyone but the asker, each once, under the first audience that reaches them."""
        reached = 0
        here = running_loop()
        asking = asker.session if asker is not None else None
        seen: set[Session] | None = set() if len(resolved) > 1 else None
        for audience, sessions in resolved:
            recipient = recipient_members(audience)
            for session in sessions:
                if session is asking or (exclude and session.id in exclude):
                    continue
                if seen is not None:
                    if session in seen:
                        continue
                    seen.add(session)
                if session.loop is here:
                    reached += session.push(encoded, recipient)
                else:
                    reached += call_on(session.loop, session.push, encoded, recipient)
        return reached

    def _local(self, audience: Audience) -> list[Session]:
        """Return the members of a built-in audience in this process."""
        name = audience.topic
        if name is not None:
            return self._index.members(name)
        if audience.kind == "websocket":
            session = self._index.connections.get(audience.id)
            return [] if session is None else [session]
        return list(self._index.connections.values())

    async def _members(self, audience: Audience) -> list[Session]:
        if audience.topic is not None or audience.kind in {"websocket", "everyone"}:
            return self._local(audience)
        resolver = self.registry.recipients.get(audience.kind)
        if resolver is None:
            raise UnknownRecipientError(
                f"There is no recipient {audience.kind!r}; register one with @recipient({audience.kind!r})."
            )
        connections = self._index.connections
        ids = dict.fromkeys(await _result(resolver(audience.id)))
        return [connections[each] for each in ids if each in connections]

    def _on_publication(self, publication: Publication) -> None:
        """Deliver what another process emitted."""
        encoded = EncodedEvent(publication.id, publication.event, publication.payload)
        resolved = [
            (audience, self._local(audience))
            for audience in publication.audiences
            if audience.topic is not None or audience.kind in {"websocket", "everyone"}
        ]
        self._deliver(encoded, resolved, publication.exclude, None)

    def _somewhere(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something on this thread's loop, or else on the loop of a connection."""
        loop = running_loop()
        if loop is not None:
            self.background(work, loop)
            return
        for session in list(self._index.connections.values()):
            if call_on(session.loop, self.background, work, session.loop):
                return
        # Nobody is connected here, so there is nobody to deliver to and no loop to publish on.
        work.close()

    async def _drain_one(self, session: Session, code: int, reason: str, timeout: float | None) -> None:
        await session.settle(timeout)
        session.close(code, reason)
        await session.gone(timeout)


class _Triggered:
    """What an event handler gets filled from."""

    __slots__ = ("hub", "payload")

    def __init__(self, hub: Hub, payload: Any) -> None:
        self.hub = hub
        self.payload = payload


async def _encode_emittable(
    event: Emittable, audiences: tuple[Audience, ...]
) -> tuple[EncodedEvent, tuple[Audience, ...]]:
    envelope = await event.emit()
    if not isinstance(envelope, EventEnvelope):
        raise TypeError(f"{type(event).__name__}.emit() must return an EventEnvelope, not {type(envelope).__name__}.")
    payload = encode_json(envelope.payload, envelope.event)
    encoded = EncodedEvent(envelope.msg_id or new_id(), envelope.event, payload)
    return encoded, audiences or (Audience(envelope.recipient, envelope.recipient_id),)


def _first_with(
    session: Session, resolved: list[tuple[Audience, list[Session]]], exclude: frozenset[str]
) -> Audience | None:
    if session.id in exclude:
        return None
    return next((audience for audience, sessions in resolved if session in sessions), None)


def _joinable(audience: Audience) -> str:
    if not isinstance(audience, Audience) or audience.kind not in {"room", "topic"}:
        raise TypeError(f"A connection joins room(…) or topic(…), not {audience!r}.")
    name = audience.topic
    assert name is not None
    return name


def _close_code_of(problem: Problem) -> int:
    match problem.status:
        case 401:
            return CloseCode.UNAUTHORIZED
        case 403:
            return CloseCode.FORBIDDEN
        case 429 | 503:
            return CloseCode.TRY_AGAIN_LATER
        case status if status >= 500:
            return CloseCode.INTERNAL_ERROR
        case _:
            return CloseCode.POLICY_VIOLATION


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _on_loop_of(session: Session, work: Coroutine[Any, Any, None]) -> Awaitable[None]:
    if session.loop is running_loop():
        return work
    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, session.loop))

