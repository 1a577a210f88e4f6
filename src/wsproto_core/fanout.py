"""From one event to its receivers: serialised once, numbered for each, and nobody waits for anybody.

Safe to use from any thread: a connection on another loop gets its share through that loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from wsproto_core.dispatcher import Call
from wsproto_core.encoding import EncodedEvent, encode_event, encode_json, recipient_members
from wsproto_core.envelopes import EventEnvelope
from wsproto_core.errors import BroadcastNotAllowedError, MissingAudienceError, UnknownRecipientError
from wsproto_core.events import Emittable, Event, is_event, target_of
from wsproto_core.ids import new_id
from wsproto_core.index import Index
from wsproto_core.publications import Publication
from wsproto_core.publisher import Publisher
from wsproto_core.recipients import BUILTIN_KINDS, Audience
from wsproto_core.registry import Router
from wsproto_core.session import Session
from wsproto_core.tasks import call_on, resolved, running_loop

__all__ = ["Fanout", "Observer"]

Observer = Callable[[EncodedEvent, tuple[Audience, ...]], None]
"""Takes an event and its audiences, on whatever thread it is emitted."""

_Resolved = list[tuple[Audience, list[Session]]]

# Whoever emits gives way after so many events, so that a long loop does not fill the outboxes of clients that do read.
_BURST_EVENTS: Final = 32

_NOBODY: Final[frozenset[str]] = frozenset()


class Fanout:
    """Delivers events to the connections of this process, and hands them to the others.

    Args:
        index: who listens to what.
        registry: where the application's own kinds of recipient are.
        publisher: tells the other processes; None when there are none.
        allow_broadcast: whether ``everyone()`` may be used.

    Attributes:
        allow_broadcast: as given.
        observers: told of every event that is emitted in this process; for tests and telemetry.
    """

    def __init__(self, index: Index, registry: Router, publisher: Publisher | None, *, allow_broadcast: bool) -> None:
        self.observers: list[Observer] = []
        self._burst = 0
        self._index = index
        self._registry = registry
        self._publisher = publisher
        self.allow_broadcast = allow_broadcast

    async def route(
        self,
        event: Event | Emittable,
        audiences: tuple[Audience, ...] = (),
        *,
        exclude: frozenset[str] = _NOBODY,
        asker: Call | None = None,
    ) -> int:
        """Deliver an event; see `Hub.emit`.

        Args:
            event: what to send.
            audiences: if the event does not say it itself.
            exclude: ids of connections that do not get it.
            asker: whose request it answers; that connection gets the event last, and waits for room.
        """
        if is_event(event):
            target = target_of(event)
            audiences = audiences or target.audiences
            exclude |= target.exclude
            encoded = encode_event(event, new_id(), target.key)
        else:
            encoded, audiences = await _encode_emittable(event, audiences)
        self._check(audiences, encoded.name)
        self.observe(encoded, audiences)
        self._burst += 1
        if self._burst >= _BURST_EVENTS:
            self._burst = 0
            await asyncio.sleep(0)
        resolved = [(audience, await self.members(audience)) for audience in audiences]
        reached = self._deliver(encoded, resolved, exclude, asker.session if asker is not None else None)
        if self._publisher is not None:
            await self._publisher.publish(encoded, audiences, exclude)
        if asker is not None:
            own = _first_with(asker.session, resolved, exclude)
            if own is not None and asker.ended:
                # The request has had its end, so this is an event like those of others.
                reached += asker.session.push(encoded, recipient_members(own))
            elif own is not None and asker.session.is_open:
                asker.events += 1
                await asker.session.answer(encoded, recipient_members(own), asker.req_id)
                reached += 1
        return reached

    def route_sync(
        self, event: Event, audiences: tuple[Audience, ...], exclude: frozenset[str]
    ) -> Coroutine[Any, Any, Any] | None:
        """Deliver an event at once where that takes no waiting; return what is left to be awaited.

        See `Hub.emit_sync`.
        """
        target = target_of(event)
        audiences = audiences or target.audiences
        exclude |= target.exclude
        self._check(audiences, event.event_name)
        if not all(audience.kind in BUILTIN_KINDS for audience in audiences):
            return self.route(event, audiences, exclude=exclude)
        encoded = encode_event(event, new_id(), target.key)
        self.observe(encoded, audiences)
        self._deliver(encoded, [(each, self.local_members(each)) for each in audiences], exclude, None)
        return self._publisher.publish(encoded, audiences, exclude) if self._publisher is not None else None

    def receive(self, publication: Publication) -> None:
        """Deliver what another process emitted."""
        encoded = EncodedEvent(publication.id, publication.event, publication.payload, publication.key)
        resolved = [(audience, self.local_members(audience)) for audience in self.known_here(publication.audiences)]
        self._deliver(encoded, resolved, publication.exclude, None)

    def known_here(self, audiences: Iterable[Audience]) -> list[Audience]:
        """Return those audiences that another process may address, by what is known in this one."""
        return [
            each
            for each in audiences
            if each.kind in BUILTIN_KINDS and (each.kind != "everyone" or self.allow_broadcast)
        ]

    def push(self, event: EncodedEvent, audience: Audience, sessions: list[Session]) -> None:
        """Push an event to some connections, under one audience."""
        self._deliver(event, [(audience, sessions)], _NOBODY, None)

    async def members(self, audience: Audience) -> list[Session]:
        """Return the connections of this process that an audience reaches.

        Raises:
            UnknownRecipientError: there is no resolver for its kind.
            RuntimeError: the resolver wants the process to end, which it cannot have.
        """
        if audience.kind in BUILTIN_KINDS:
            return self.local_members(audience)
        resolver = self._registry.recipients.get(audience.kind)
        if resolver is None:
            raise UnknownRecipientError(
                f"There is no recipient {audience.kind!r}; register one with @recipient({audience.kind!r})."
            )
        try:
            ids = await resolved(resolver(audience.id))
        except (SystemExit, KeyboardInterrupt) as error:
            # From a task of its own it would end the event loop, and everybody's connection with it.
            raise RuntimeError(f"The resolver of the recipient {audience.kind!r} raised {error!r}.") from error
        connections = self._index.connections
        return [connections[each] for each in dict.fromkeys(ids) if each in connections]

    def observe(self, event: EncodedEvent, audiences: tuple[Audience, ...]) -> None:
        """Tell the observers of an event."""
        for observer in self.observers:
            observer(event, audiences)

    def _check(self, audiences: tuple[Audience, ...], what: str) -> None:
        if not audiences:
            raise MissingAudienceError(
                f"The event {what!r} goes to nobody: say to=room(…), user(…), topic(…) or connection(…)."
            )
        if not self.allow_broadcast and any(audience.kind == "everyone" for audience in audiences):
            raise BroadcastNotAllowedError("everyone() needs allow_broadcast=True in the configuration.")

    def local_members(self, audience: Audience) -> list[Session]:
        """Return the members of a built-in audience in this process, at once."""
        name = audience.topic
        if name is not None:
            return self._index.listeners(name) if audience.kind == "topic" else self._index.members(name)
        if audience.kind == "websocket":
            session = self._index.connections.get(audience.id)
            return [] if session is None else [session]
        return list(self._index.connections.values())

    def _deliver(
        self, encoded: EncodedEvent, resolved: _Resolved, exclude: frozenset[str], asking: Session | None
    ) -> int:
        """Push an event to everyone but the asker, each once, under the first audience that reaches them."""
        reached = 0
        here = running_loop()
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
                if session.loop is here or session.threadsafe:
                    reached += session.push(encoded, recipient)
                else:
                    reached += call_on(session.loop, session.push, encoded, recipient)
        return reached


async def _encode_emittable(
    event: Emittable, audiences: tuple[Audience, ...]
) -> tuple[EncodedEvent, tuple[Audience, ...]]:
    if not hasattr(event, "emit"):
        raise TypeError(f"An Event is emitted, or what has an async emit(), and no {type(event).__name__}.")
    envelope = await event.emit()
    if not isinstance(envelope, EventEnvelope):
        raise TypeError(f"{type(event).__name__}.emit() must return an EventEnvelope, not {type(envelope).__name__}.")
    payload = encode_json(envelope.payload, envelope.event)
    encoded = EncodedEvent(envelope.msg_id or new_id(), envelope.event, payload)
    return encoded, audiences or (Audience(envelope.recipient, envelope.recipient_id),)


def _first_with(session: Session, resolved: _Resolved, exclude: frozenset[str]) -> Audience | None:
    if session.id in exclude:
        return None
    return next((audience for audience, sessions in resolved if session in sessions), None)
