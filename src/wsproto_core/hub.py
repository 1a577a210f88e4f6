"""One process: its connections, who listens to what, and emitting to them from anywhere.

The facade that hosts and applications hold. A connection keeps the event loop that it was opened on; the hub may be
used from any thread.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from wsproto_core.admission import Admission, Denial, Gate
from wsproto_core.asyncapi import Contract, Site
from wsproto_core.attendance import Attendance
from wsproto_core.autodiscover import autodiscover
from wsproto_core.backplane import Backplane, backplane_from
from wsproto_core.blocking import loop_thread
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.closing import CloseCode, check_close_code
from wsproto_core.context import ActionContext
from wsproto_core.decoding import Decoder
from wsproto_core.dispatcher import Call, Dispatcher
from wsproto_core.draining import drain_sessions
from wsproto_core.encoding import encode_json
from wsproto_core.errors import ConfigurationError
from wsproto_core.events import Emittable, Event, as_audiences, is_event, target_of
from wsproto_core.fanout import Fanout
from wsproto_core.handlers import positional_count
from wsproto_core.ids import new_id
from wsproto_core.index import Index
from wsproto_core.lifetimes import ping_interval_of
from wsproto_core.limits import Limits
from wsproto_core.memberships import Memberships
from wsproto_core.neighbours import Neighbours
from wsproto_core.parent import ParentWatch
from wsproto_core.presence import Member, Presence
from wsproto_core.problems import Problem
from wsproto_core.publisher import Publisher
from wsproto_core.recipients import Audience, SupportsAudience, connection, parse_subscription, room
from wsproto_core.registry import Router, default_registry
from wsproto_core.routes import channel_of
from wsproto_core.security import NOT_GIVEN, Identity, as_identity
from wsproto_core.security_log import SecurityLog
from wsproto_core.session import Session
from wsproto_core.settings import Settings
from wsproto_core.signals import DrainSignals
from wsproto_core.tasks import call_on, is_from_outside, resolved, running_loop, start_eagerly
from wsproto_core.threaded import ThreadedSession, ThreadedTransport
from wsproto_core.transport import ConnectionInfo, Surroundings, Transport

__all__ = ["Admission", "Denial", "Hub", "Stats"]

log = logging.getLogger("wsproto_core.hub")

_NO_SURROUNDINGS = Surroundings()
_Audiences = Audience | SupportsAudience | Iterable[Audience | SupportsAudience]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a hub counted since it was made.

    Attributes:
        connections: open now.
        opened: in all.
        topics: rooms, users, topics and filters that somebody in this process listens to.
        counters: what went wrong so often: ``refused`` connections, ``slow_consumers`` that were cut, ``lost_events``
            that other policies dropped, ``rate_limited`` messages; of the backplane ``malformed_publications``,
            ``backplane_failures``, and ``gaps``, where events of other processes may have been missed.
    """

    connections: int
    opened: int
    topics: int
    counters: Mapping[str, int]


class Hub:
    """The connections of one process.

    Args:
        settings: how it behaves; made from the keyword arguments of `Settings`.

    Attributes:
        settings: as given.
        limits: those of the settings.
        registry: that of the settings, or the default one.
        contract: what there is to tell about them; hosts add where their sockets are.
        site: what of that is shown over HTTP.
        id: of this hub among those that share a backplane.
        worker_threads: how many plain functions may run at once in `workers`; None is Python's own choice. A host sets
            it before the first connection.
    """

    __wsproto_inject__: ClassVar[str] = "hub"

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.limits: Limits = self.settings.limits
        self.registry: Router = self.settings.registry or default_registry
        self.id = secrets.token_hex(16)
        self.decoder = Decoder(self.registry, BUILTIN_ACTIONS, require_ids=self.settings.require_ids)
        self.dispatcher = Dispatcher(self)
        self._index = Index()
        self.security = SecurityLog()
        self.gate = Gate(self.settings, self._index, self.security, self.count)
        backplane = backplane_from(self.settings.backplane)
        self._publisher = Publisher(backplane, self.id, self._wants, self.count) if backplane is not None else None
        self.fanout = Fanout(self._index, self.registry, self._publisher, allow_broadcast=self.settings.allow_broadcast)
        self._attendance = self._attendance_with(backplane)
        self.memberships = Memberships(self.settings, self._index, self._publisher, self._attendance)
        self._neighbours = Neighbours(self._index, self.gate, self.fanout, self._attendance)
        if self._publisher is not None:
            self._publisher.tell(self._neighbours)
        self._lock = threading.Lock()
        self._opened = 0
        self._counters: Counter[str] = Counter()
        self._background: set[asyncio.Task[Any]] = set()
        self._workers: ThreadPoolExecutor | None = None
        self.worker_threads: int | None = None
        self._signals: DrainSignals | None = None
        self._parent: ParentWatch | None = None
        self.contract = Contract(self.settings)
        self.site = Site(self.settings, self.contract)
        hook = self.settings.on_disconnect
        self._on_disconnect_takes = positional_count(hook) if hook is not None else 0

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
        admitted = await self.gate.admit(info, user_id=user_id, connection_id=connection_id, rooms=rooms, state=state)
        if self._publisher is not None and isinstance(admitted, Admission):
            # From now on another process may disconnect it.
            try:
                await self._publisher.follow(map(channel_of, admitted.audiences))
            except BaseException:
                self.release(admitted)
                raise
        return admitted

    def release(self, admission: Admission) -> None:
        """Give back the place of a connection that was admitted but is not going to be opened."""
        self.gate.release(admission)
        if self._publisher is not None:
            self._somewhere(self._publisher.let_go(map(channel_of, admission.audiences)))

    def open(
        self, transport: Transport, admission: Admission, surroundings: Surroundings = _NO_SURROUNDINGS
    ) -> Session:
        """Begin a connection that was admitted and accepted. Called on the loop that it will live on.

        Args:
            transport: what it is written to through.
            admission: what `admit` gave.
            surroundings: what handlers find around them on this host.

        Raises:
            ValueError: the admission was used already.
        """
        _check_unused(admission)
        session = Session(self, transport, admission, asyncio.get_running_loop(), surroundings)
        self._open(session, admission)
        return session

    def open_threaded(
        self, transport: ThreadedTransport, admission: Admission, surroundings: Surroundings = _NO_SURROUNDINGS
    ) -> ThreadedSession:
        """Begin a connection on a host that gives each one a thread, which then calls `ThreadedSession.serve`.

        Called on the loop that the connection will live on; see `open` and `wsproto_core.blocking`.
        """
        _check_unused(admission)
        session = ThreadedSession(self, transport, admission, asyncio.get_running_loop(), surroundings)
        self._open(session, admission)
        return session

    def _open(self, session: Session, admission: Admission) -> None:
        if admission.identity is not None:
            session.identify(admission.identity)
        else:
            session.authenticate_within(self.limits.authentication_timeout)
        # The first event of the connection: from the next line on, others may address it.
        if session.negotiated:
            session.announce("ws.ready", self._ready(session, admission.identity))
        self._index.add(session)
        self.gate.take_in(admission)
        self._opened += 1
        revoked = admission.revoked
        if revoked is not None:
            session.close(*revoked)
        elif self.gate.closed:
            # It was on its way when the drain began, which does not know of it.
            session.close(CloseCode.SERVICE_RESTART, "The server restarts.")
        elif admission.rooms or self.settings.on_connect is not None or self._publisher is not None:
            session.start(self._begin(session, admission))
            return
        self.gate.arrived(admission.arrival)

    def forget(self, session: Session) -> None:
        """Let go of a connection that has ended."""
        topics = self._index.remove(session)
        if self._attendance is not None and session.topics:
            self._attendance.left(session)
        if self._publisher is not None and topics:
            self.background(self._publisher.follow(topics), session.loop)

    @property
    def connections(self) -> Mapping[str, Session]:
        """The open connections of this process by id."""
        return self._index.connections

    @property
    def draining(self) -> bool:
        """Whether the hub takes no more connections."""
        return self.gate.closed

    def room_size(self, name: str | int) -> int:
        """Return how many connections of this process are in a room."""
        return len(self._index.members(room(name).topic or ""))

    def rooms(self) -> list[str]:
        """Return the names of the rooms that somebody of this process is in."""
        return self._index.rooms()

    def topics(self) -> list[str]:
        """Return the application's topics, and the filters, that somebody of this process listens to."""
        return self._index.topics()

    async def members(self, audience: Audience | SupportsAudience) -> list[Session]:
        """Return the connections of this process that an event to an audience would reach, each once.

        Raises:
            UnknownRecipientError: there is no resolver for its kind.
        """
        found = [session for each in as_audiences(audience) for session in await self.fanout.members(each)]
        return list(dict.fromkeys(found))

    async def presence(self, topic: Audience | SupportsAudience | str) -> list[Member]:
        """Return who is present on a topic or in a room, in all processes (protocol section 10).

        Args:
            topic: ``room("lobby")``, ``topic("sport")``, a typed topic; or its name: ``"room/lobby"``, ``"sport"``.

        Raises:
            ConfigurationError: presence is off.
            InvalidTopicError: a name that is none.
            Exception: what the engine raises; TimeoutError when it does not answer.
        """
        if self._attendance is None:
            raise ConfigurationError(
                "Presence is off here: presence=False, or the engine of the backplane keeps nothing. Configure "
                "presence=True, for NATS and channel layers presence=Presence(store=…)."
            )
        audience = parse_subscription(topic) if isinstance(topic, str) else as_audiences(topic)[0]
        return await self._attendance.members(audience.topic or "")

    def stats(self) -> Stats:
        """Return what was counted."""
        return Stats(
            connections=len(self._index.connections),
            opened=self._opened,
            topics=self._index.topic_count,
            counters=dict(self._counters),
        )

    def count(self, what: str, number: int = 1) -> None:
        """Count something for `stats`, from any thread."""
        with self._lock:
            self._counters[what] += number

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

    def asyncapi(self) -> dict[str, Any]:
        """Return the AsyncAPI 3.1 document of what this hub serves, as JSON data; it is made anew each time."""
        return self.contract.document()

    async def emit(
        self, event: Event | Emittable, to: _Audiences | None = None, *, exclude: str | Iterable[str] = ()
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
        return await self.fanout.route(event, as_audiences(to), exclude=_ids(exclude))

    async def emit_from(self, session: Session, event: Event | Emittable, to: _Audiences | None = None) -> int:
        """Emit an event on behalf of a connection that asked nothing: in ``on_connect``, say."""
        audiences = as_audiences(to)
        if not audiences and is_event(event) and not target_of(event).audiences:
            audiences = (connection(session.id),)
        return await self.fanout.route(event, audiences)

    def emit_sync(
        self, event: Event | Emittable, to: _Audiences | None = None, *, exclude: str | Iterable[str] = ()
    ) -> None:
        """Emit an event from any thread, without an event loop; never waits.

        On a loop's own thread the connections of that loop have it at once; others get it through theirs.

        Raises:
            MissingAudienceError, BroadcastNotAllowedError, UnserializableEventError.
        """
        if is_event(event):
            rest = self.fanout.route_sync(event, as_audiences(to), _ids(exclude))
        else:
            rest = self.fanout.route(event, as_audiences(to), exclude=_ids(exclude))
        if rest is not None:
            self._somewhere(rest)

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
        made = await resolved(handler.run(cast("Call", _Triggered(self, handler.validate(payload)))))
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
        """Close every connection of an audience in all processes; in this one also those that are on their way.

        These are the connections whose handshake is under way, while ``authenticate`` runs for them too, and those
        that say by ``ws.authenticate`` who they are. Another process is told through the engine, which it listens to
        for a user once its ``authenticate`` has answered, and for a room once a connection is in.

        Args:
            audience: ``user(42)``, ``room("lobby")``, ``connection(id)``.
            code: 1000, a code of `CloseCode` that may be sent, or 3000 to 4999.
            reason: at most 123 bytes of UTF-8.

        Returns:
            how many connections of this process are being closed.

        Raises:
            ValueError: a code that may not be sent (RFC 6455 section 7.4).
        """
        return await self._disconnecting(audience, code, reason)

    def disconnect_sync(
        self, audience: Audience | SupportsAudience, code: int = CloseCode.NORMAL, reason: str = ""
    ) -> None:
        """Do what `disconnect` does from any thread, without an event loop; never waits.

        It is done soon after it returns; a connection that opens in between may be closed as well.

        Raises:
            ValueError: a code that may not be sent (RFC 6455 section 7.4).
        """
        self._somewhere(self._disconnecting(audience, code, reason))

    def _disconnecting(self, audience: Audience | SupportsAudience, code: int, reason: str) -> Coroutine[Any, Any, int]:
        """Turn away at once those on their way; return what closes the open connections."""
        check_close_code(code)
        audiences = as_audiences(audience)
        self.gate.revoke(audiences, code, reason)

        async def close() -> int:
            sessions = await self.members(audience)
            for session in sessions:
                session.close_threadsafe(code, reason)
            if self._publisher is not None:
                await self._publisher.disconnect(audiences, code, reason)
            return len(sessions)

        return close()

    @property
    def workers(self) -> ThreadPoolExecutor:
        """The threads that plain functions run in."""
        if self._workers is None:
            with self._lock:
                if self._workers is None:
                    self._workers = ThreadPoolExecutor(self.worker_threads, thread_name_prefix="wsproto-worker")
        return self._workers

    def discover(self, base_packages: Iterable[str] = ()) -> tuple[str, ...]:
        """Import the conventional modules, as the settings say; see `autodiscover`.

        Returns:
            the names of the modules that were imported.
        """
        if not self.settings.autodiscover:
            return ()
        return autodiscover(base_packages, self.settings.autodiscover_modules, self.settings.autodiscover_packages)

    def background(
        self, work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, *, eagerly: bool = False
    ) -> None:
        """Run something that nobody waits for, on the loop that runs in this thread; `drain` waits for it.

        Args:
            work: what to run; what it raises is logged.
            loop: that it runs on.
            eagerly: whether it begins at once, and not when the loop gets to it.
        """
        task = start_eagerly(work, loop) if eagerly else loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background_done)

    def start(self) -> None:
        """Take connections, again after a stop; a hub starts by itself when it is first used."""
        self.gate.closed = False
        self.decoder.prepare()

    def install_signal_handlers(self) -> None:
        """Begin the drain at SIGTERM and SIGINT, if the settings say so and this is the main thread."""
        if self.settings.install_signal_handlers and self._signals is None:
            loop = asyncio.get_running_loop()
            self._signals = DrainSignals.install(self.drain, loop)
            self._parent = ParentWatch.follow(self.drain, loop)

    async def drain(self, code: int = CloseCode.SERVICE_RESTART, reason: str = "The server restarts.") -> None:
        """Take no more connections, let running actions end, and close all connections at once.

        Running actions get ``Limits.drain_timeout`` seconds, after which their clients are told ``unavailable``.

        Args:
            code: that the connections are closed with: 1001 or 1012.
            reason: for the close frame.
        """
        self.gate.closed = True
        timeout = self.limits.drain_timeout
        await self.drain_connections(list(self._index.connections.values()), code, reason)
        here = asyncio.get_running_loop()
        pending = [
            task for task in list(self._background) if task.get_loop() is here and task is not asyncio.current_task()
        ]
        if pending:
            await asyncio.wait(pending, timeout=timeout)

    async def drain_connections(
        self,
        sessions: Iterable[Session],
        code: int = CloseCode.GOING_AWAY,
        reason: str = "The server goes away.",
    ) -> None:
        """Close some connections as `drain` does; the hub goes on. For a host that shares it with others."""
        await drain_sessions(sessions, self._index, code, reason, timeout=self.limits.drain_timeout)

    async def stop(self) -> None:
        """Drain, and let go of the signal handlers, the backplane and the worker threads."""
        await self.drain()
        if self._signals is not None:
            self._signals.uninstall()
            self._signals = None
        if self._parent is not None:
            self._parent.stop()
            self._parent = None
        if self._attendance is not None:
            await self._attendance.stop()
        if self._publisher is not None:
            await self._publisher.stop()
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._workers = None
        # Whoever uses it next starts it again, with or without a lifespan.
        self.gate.closed = False

    async def run_on_disconnect(self, context: ActionContext[Any], code: int, reason: str) -> None:
        """Tell the typed topics and the application's hook that a connection has ended."""
        await self.memberships.let_go(context)
        hook = self.settings.on_disconnect
        if hook is not None:
            await resolved(hook(*(context, code, reason)[: self._on_disconnect_takes]))

    async def authenticate_message(self, context: ActionContext[Any], token: str) -> Identity:
        """Ask ``authenticate`` again, with the token of a ``ws.authenticate`` message (protocol section 6).

        Raises:
            Problem: ``unauthenticated`` or ``forbidden``.
        """
        session = self._index.connections.get(context.connection_id)
        authenticate = self.settings.authenticate
        if session is None or authenticate is None:
            raise Problem("This server does not authenticate by message.", code="unauthenticated")
        info = replace(session.info, token=token, source="message")
        arrival = self.gate.expect()
        try:
            identity = await self._identity_of(session, lambda: authenticate(info))
            before = (session.user_id, session.scopes)
            session.identify(identity)
            name = self._index.identify(session)
        finally:
            self.gate.arrived(arrival)
        revoked = arrival.revoked((session.topics or {}).values())
        if revoked is not None:
            session.close(*revoked)
        if self._attendance is not None and before[0] is None:
            self._attendance.identified(session)
        # Whoever gives up waiting must not keep what the new credential does not allow.
        await asyncio.shield(start_eagerly(self._identified(context, name, before), session.loop))
        return identity

    async def _identity_of(self, session: Session, authenticate: Callable[[], Any]) -> Identity:
        """Return who ``authenticate`` takes a connection for, if that may be."""
        try:
            identity = as_identity(await resolved(authenticate()))
            if identity is None or identity.user_id is None:
                raise Problem("The token is not valid.", code="unauthenticated")
            identity.check_current(self.limits.credential_grace or 0.0)
            if session.user_id is not None and str(identity.user_id) != str(session.user_id):
                raise Problem("The token belongs to another user.", code="forbidden")
        except Problem as refusal:
            self.security.message("credential", session, "ws.authenticate refused: %s", refusal.code)
            raise
        full = self.gate.full_for(identity) if session.user_id is None else None
        if full is not None:
            raise full
        return identity

    async def _identified(self, context: ActionContext[Any], name: str | None, before: tuple[Any, Any]) -> None:
        """Do what follows from another user or other scopes."""
        session = context._session
        if name is not None and self._publisher is not None:
            await self._publisher.follow([name])
        if before != (session.user_id, session.scopes):
            for topic in await self.memberships.ask_again(context):
                session.announce("ws.unsubscribed", {"topic": topic})

    def cancel_request(self, context: ActionContext[Any], req_id: str) -> None:
        """Stop a request of a connection."""
        session = self._index.connections.get(context.connection_id)
        if session is not None:
            session.cancel_request(req_id)

    def _wants(self, channel: str) -> bool:
        """Say whether anybody in this process listens to a channel of the backplane."""
        if self._index.has(channel) or self.gate.awaits(channel):
            return True
        return self._attendance is not None and self._attendance.wants(channel)

    def _attendance_with(self, backplane: Backplane | None) -> Attendance | None:
        setting = self.settings.presence
        presence = setting if isinstance(setting, Presence) else Presence()
        store = presence.store
        if store is None and backplane is not None:
            make = getattr(backplane, "presence_store", None)
            store = make() if make is not None else None
        if setting is False or (store is None and backplane is not None):
            return None
        return Attendance(
            presence,
            store,
            self._publisher,
            self._index,
            self.fanout,
            somewhere=self._somewhere,
            executor=lambda: self.workers,
        )

    def _background_done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("something in the background failed", exc_info=task.exception())

    async def _begin(self, session: Session, admission: Admission) -> None:
        """Do whatever comes before the first message of a connection."""
        try:
            if self._publisher is not None:
                await self._publisher.start()
                await self._publisher.follow(self._index.topics_of(session))
            for each in admission.rooms:
                await self.memberships.join(ActionContext(session), each, text=room)
            revoked = admission.arrival.revoked((session.topics or {}).values())
            if revoked is not None:
                session.close(*revoked)
                return
            if self.settings.on_connect is not None:
                await resolved(self.settings.on_connect(ActionContext(session)))
        except Problem as refusal:
            await session.refuse(refusal)
        except BaseException as error:
            if is_from_outside(error):
                raise
            log.exception("on_connect failed for connection %s", session.id)
            await session.refuse(Problem("Something went wrong on the server.", code="internal_error"))
        finally:
            self.gate.arrived(admission.arrival)

    def _ready(self, session: Session, identity: Identity | None) -> dict[str, Any]:
        user_id = session.user_id
        ready: dict[str, Any] = {
            "connection_id": session.id,
            "user_id": user_id if user_id is None or isinstance(user_id, int) else str(user_id),
            "ping_interval": ping_interval_of(self.limits),
            "max_message_bytes": self.limits.max_message_bytes,
        }
        if identity is not None and identity.expires_at is not None:
            ready["expires_at"] = identity.expires_at
        return ready

    def _somewhere(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something on this thread's loop, or else on the loop of some connection."""
        loop = running_loop()
        if loop is not None:
            self.background(work, loop)
            return
        for each in dict.fromkeys(session.loop for session in list(self._index.connections.values())):
            if call_on(each, self.background, work, each):
                return
        if self._publisher is None:
            # Nobody is connected, so there is nobody to deliver to.
            work.close()
        else:
            loop_thread.begin(work)


def _check_unused(admission: Admission) -> None:
    if admission.used:
        raise ValueError("An admission opens one connection, once.")


class _Triggered:
    """What an event handler gets filled from, in place of a call."""

    __slots__ = ("hub", "payload")

    def __init__(self, hub: Hub, payload: Any) -> None:
        self.hub = hub
        self.payload = payload


def _ids(exclude: str | Iterable[str]) -> frozenset[str]:
    return frozenset((exclude,) if isinstance(exclude, str) else exclude)
