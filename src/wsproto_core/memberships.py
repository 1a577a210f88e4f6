"""Who may listen to what, and what happens when somebody begins to, or ends.

Joins are the application's; subscriptions may be the client's own (protocol sections 6 and 7).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, nullcontext
from typing import Any, Final, cast

from wsproto_core.attendance import Attendance
from wsproto_core.builtin_actions import PresenceState
from wsproto_core.context import ActionContext
from wsproto_core.events import Event
from wsproto_core.handlers import form_of
from wsproto_core.index import Index
from wsproto_core.problems import Problem
from wsproto_core.publisher import Publisher
from wsproto_core.recipients import Audience, SupportsAudience, TopicFilter, parse_subscription
from wsproto_core.session import Session
from wsproto_core.settings import Settings
from wsproto_core.tasks import is_from_outside, resolved
from wsproto_core.topics import has_wildcards
from wsproto_core.typed_topics import Topic, TopicTable

__all__ = ["MAX_SUBSCRIPTIONS", "Memberships"]

log = logging.getLogger("wsproto_core.memberships")

TopicHook = Callable[[ActionContext[Any]], Any]
Joinable = Audience | SupportsAudience | str

MAX_SUBSCRIPTIONS: Final = 100
_MAX_PLUSES: Final = 3
_CLOSED_TO_CLIENTS: Final = frozenset({"user", "connection", "everyone"})


class Memberships:
    """Subscribes connections to topics, once those who are to be asked have said yes.

    Args:
        settings: of the hub.
        index: who listens to what.
        publisher: is told what this process listens to; None when there are no others.
        attendance: is told who is present; None when nobody asks for that.
    """

    def __init__(
        self, settings: Settings, index: Index, publisher: Publisher | None, attendance: Attendance | None
    ) -> None:
        self._attendance = attendance
        self._client_wildcards = settings.client_wildcards
        self._hook = settings.authorize_subscribe
        self._index = index
        self._publisher = publisher
        self._typed = TopicTable(cast("Any", settings.registry))

    async def join(
        self,
        context: ActionContext[Any],
        *audiences: Joinable,
        text: Callable[[str], Audience],
        presence: bool = False,
    ) -> None:
        """Subscribe a connection for the application; see `ActionContext.join`.

        Args:
            context: of the connection.
            audiences: what it joins.
            text: what a plain string is: a room, or a topic or filter.
            presence: whether its client is told who is there, and who comes and goes.
        """
        for each in audiences:
            audience, typed = self._look_up(each, text)
            await self._join(context, audience, typed)
            if presence:
                async with aclosing(self.presence_of(context, _name(audience))) as states:
                    async for state in states:
                        await context.emit(state)

    async def leave(self, context: ActionContext[Any], *audiences: Joinable, text: Callable[[str], Audience]) -> None:
        """Unsubscribe a connection for the application; see `ActionContext.leave` and `join`."""
        for each in audiences:
            await self._leave(context, *self._look_up(each, text))

    async def _join(self, context: ActionContext[Any], audience: Audience, typed: Topic | None) -> None:
        session = context._session
        if not await self._allows(context, audience, typed, default=True):
            raise Problem(f"You may not join this {audience.kind}.", code="forbidden")
        if session.own_subscriptions:
            # From now on the application's, which the client cannot end.
            session.own_subscriptions.discard(_name(audience))
        if await self._begin(session, audience) and typed is not None and _has_beginning(typed):
            try:
                await _emit_all(context, typed.on_subscribe)
            except BaseException:
                await self._end(session, audience)
                raise

    async def subscribe(self, context: ActionContext[Any], name: str) -> tuple[str, AsyncGenerator[Event, None]]:
        """Subscribe a connection because its client asked for it.

        Args:
            context: of the connection.
            name: a topic, a room as ``room/lobby``, or a filter.

        Returns:
            the name, and the events that the client begins with.

        Raises:
            Problem: ``forbidden``.
            InvalidTopicError: neither a topic nor a filter.
        """
        audience = self._of_client(name)
        name = _name(audience)
        session = context._session
        typed = self._find(audience)
        if not await self._allows(context, audience, typed, default=False):
            context.hub.security.message("forbidden", session, "subscription to %r refused", name)
            raise Problem("You may not subscribe to this topic.", code="forbidden")
        own = session.own_subscriptions
        if own is not None and len(own) >= MAX_SUBSCRIPTIONS and name not in own:
            raise Problem(f"A connection has at most {MAX_SUBSCRIPTIONS} subscriptions.", code="forbidden")
        if not await self._begin(session, audience):
            return name, _nothing()
        if session.own_subscriptions is None:
            session.own_subscriptions = set()
        session.own_subscriptions.add(name)
        begins = typed is not None and _has_beginning(typed)
        return name, self._first_events(context, audience, cast("Topic", typed)) if begins else _nothing()

    async def unsubscribe(self, context: ActionContext[Any], name: str) -> str:
        """End a subscription that the client asked for; what the application joined stays. Return its name."""
        audience = self._of_client(name)
        if _name(audience) in (context._session.own_subscriptions or ()):
            await self._leave(context, audience, self._find(audience))
        return _name(audience)

    async def presence_of(self, context: ActionContext[Any], name: str) -> AsyncGenerator[PresenceState, None]:
        """Have a connection told of who is present on a topic that it listens to; yield who is there now.

        Raises:
            Problem: ``forbidden`` where there is no presence; ``unavailable`` when nobody can tell right now.
        """
        session, attendance = context._session, self._attendance
        if attendance is None or has_wildcards(name):
            raise Problem("This topic has no presence.", code="forbidden")
        if not session.is_open:
            return
        state = await attendance.watch(session, name)
        try:
            yield state
        except BaseException:
            attendance.unwatch(session, name)
            raise
        attendance.release(session, name)

    async def ask_again(self, context: ActionContext[Any]) -> list[str]:
        """End what a connection may not listen to any more, now that its user or its scopes are others.

        Returns:
            the names of the topics.
        """
        session = context._session
        ended: list[str] = []
        for name, audience in list((session.topics or {}).items()):
            if audience.kind == "user":
                continue
            typed = self._find(audience)
            default = name not in (session.own_subscriptions or ())
            try:
                allowed = await self._allows(context, audience, typed, default=default)
            except Problem:
                allowed = False
            except BaseException as error:
                if is_from_outside(error):
                    raise
                log.exception("nobody can say whether connection %s may still listen to %s", session.id, name)
                allowed = False
            if not allowed:
                await self._leave(context, audience, typed)
                ended.append(name)
        return ended

    async def let_go(self, context: ActionContext[Any]) -> None:
        """Tell the typed topics of a connection that has ended."""
        for audience in list((context._session.topics or {}).values()):
            typed = self._find(audience)
            if typed is not None:
                await _say_goodbye(context, typed)

    def _of_client(self, name: str) -> Audience:
        first = name.partition("/")[0]
        if first in _CLOSED_TO_CLIENTS or first.startswith("$"):
            raise Problem("Clients do not subscribe to this topic.", code="forbidden")
        audience = parse_subscription(name)
        if has_wildcards(name) and isinstance(audience, TopicFilter):
            if not self._client_wildcards:
                raise Problem("Clients do not subscribe with wildcards here.", code="forbidden")
            if name.count("+") > _MAX_PLUSES:
                raise Problem(f"A filter has at most {_MAX_PLUSES} of the wildcard +.", code="forbidden")
            if self._typed.overlaps(name):
                # Each of them decides for itself who may listen, and cannot be asked about all at once.
                raise Problem("This filter takes in topics that are subscribed to one by one.", code="forbidden")
        return audience

    async def _first_events(
        self, context: ActionContext[Any], audience: Audience, typed: Topic
    ) -> AsyncGenerator[Event, None]:
        try:
            async for event in _events_of(context, typed.on_subscribe):
                yield event
        except BaseException:
            # Half a beginning is none: the client is told that it failed, and may ask again.
            await self._end(context._session, audience)
            raise

    def _look_up(self, what: Joinable, text: Callable[[str], Audience]) -> tuple[Audience, Topic | None]:
        audience = text(what) if isinstance(what, str) else _audience_of(what)
        if audience.kind not in {"room", "topic"}:
            raise TypeError(f"A connection joins room(…) or topic(…), not {audience!r}.")
        return audience, what if isinstance(what, Topic) else self._find(audience)

    def _find(self, audience: Audience) -> Topic | None:
        if audience.kind != "topic" or isinstance(audience, TopicFilter):
            return None
        return self._typed.find(audience.id)

    async def _allows(
        self, context: ActionContext[Any], audience: Audience, typed: Topic | None, *, default: bool
    ) -> bool:
        """Ask whoever decides about a topic: its class, else the application's hook."""
        if typed is not None:
            return bool(await resolved(_run(context, typed.authorize))) if typed.has_authorize() else default
        if self._hook is not None:
            return bool(await resolved(self._hook(context, audience)))
        return default

    async def _begin(self, session: Session, audience: Audience) -> bool:
        """Subscribe a connection; say whether it is new."""
        name = _name(audience)
        if name in (session.topics or ()):
            return False
        self._index.join(session, name, audience)
        if name not in (session.topics or ()):
            return False  # it has ended, and nothing would undo what is noted of it now
        if self._attendance is not None:
            self._attendance.began(session, audience)
        if self._publisher is not None:
            try:
                await self._publisher.follow([name])
            except BaseException:
                await self._end(session, audience)
                raise
        return session.is_open

    async def _end(self, session: Session, audience: Audience) -> bool:
        """Unsubscribe a connection; say whether it was subscribed."""
        name = _name(audience)
        if name not in (session.topics or ()) or not session.is_open:
            return False
        self._index.leave(session, name)
        if session.own_subscriptions:
            session.own_subscriptions.discard(name)
        if self._attendance is not None:
            self._attendance.ended(session, audience)
        if self._publisher is not None:
            await self._publisher.follow([name])
        return True

    async def _leave(self, context: ActionContext[Any], audience: Audience, typed: Topic | None) -> None:
        if await self._end(context._session, audience) and typed is not None:
            await _say_goodbye(context, typed)


def _audience_of(what: object) -> Audience:
    if isinstance(what, Audience):
        return what
    as_audience = getattr(what, "as_audience", None)
    if as_audience is None:
        raise TypeError(f"A connection joins room(…) or topic(…), not {what!r}.")
    return cast("Audience", as_audience())


def _name(audience: Audience) -> str:
    return audience.topic or ""


def _has_beginning(typed: Topic) -> bool:
    return type(typed).on_subscribe is not Topic.on_subscribe


async def _say_goodbye(context: ActionContext[Any], typed: Topic) -> None:
    """Run ``on_unsubscribe``; nobody waits for it who could be told that it fails."""
    if type(typed).on_unsubscribe is Topic.on_unsubscribe:
        return
    try:
        await _emit_all(context, typed.on_unsubscribe)
    except BaseException as error:
        if is_from_outside(error):
            raise
        log.exception("on_unsubscribe of %s failed for connection %s", typed.topic_name, context.connection_id)


async def _emit_all(context: ActionContext[Any], hook: TopicHook) -> None:
    async with aclosing(_events_of(context, hook)) as events:
        async for event in events:
            await context.emit(event)


async def _events_of(context: ActionContext[Any], hook: TopicHook) -> AsyncGenerator[Event, None]:
    """Yield the events that a hook of a typed topic gives in whatever form."""
    given = await resolved(_run(context, hook))
    if isinstance(given, AsyncIterator):
        async with aclosing(cast("AsyncGenerator[Event, None]", given)) if hasattr(given, "aclose") else nullcontext():
            async for event in given:
                yield event
        return
    if given is None:
        return
    events: Iterable[Any] = given if isinstance(given, Iterable) and not hasattr(given, "emit") else [given]
    for event in events:
        yield event


def _run(context: ActionContext[Any], hook: TopicHook) -> Any:
    """Call a hook of a typed topic: a plain function, as a handler would be, in a thread where it may block."""
    if form_of(hook).is_async:
        return hook(context)
    surroundings = context._session.surroundings

    def work() -> Any:
        with surroundings.around():
            given = hook(context)
            return list(given) if isinstance(given, Iterator) else given

    executor = surroundings.executor or context.hub.workers
    return asyncio.wrap_future(executor.submit(contextvars.copy_context().run, work))


async def _nothing() -> AsyncGenerator[Event, None]:
    return
    yield
