"""Who is present: what this process tells the others, what it hears from them, and the diffs that its clients get.

A topic is *watched* when a connection of this process asked for its presence. Only then is anything kept of it here;
what the process itself contributes can always be read from the index.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Executor, Future
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from wsproto_core.builtin_actions import PresenceDiff, PresenceState
from wsproto_core.encoding import encode_event
from wsproto_core.fanout import Fanout
from wsproto_core.handlers import form_of
from wsproto_core.ids import new_id
from wsproto_core.index import Index
from wsproto_core.presence import Entry, Member, Meta, Presence, PresenceStore
from wsproto_core.presence_exchange import PresenceExchange
from wsproto_core.problems import Problem
from wsproto_core.publications import PresenceChange
from wsproto_core.publisher import Publisher
from wsproto_core.recipients import Audience, TopicFilter
from wsproto_core.routes import audience_of, presence_channel
from wsproto_core.tasks import resolved
from wsproto_core.watches import Key, Watch, grouped

if TYPE_CHECKING:
    from wsproto_core.session import Session

__all__ = ["Attendance"]

log = logging.getLogger("wsproto_core.presence")

_CHANNELS: Final = presence_channel("")
_INTERVAL: Final = 0.02  # seconds that comings and goings are gathered for
_SETTLING: Final = 2.0  # seconds that other processes get to come back, after the engine was away
_OVERDUE: Final = 1.0  # seconds after which something that was to be told is taken for forgotten


class Attendance:
    """Who is present, in this process and in the others. May be used on any event loop and in any thread.

    Args:
        presence: how it works.
        store: what all processes share; None when there are no others.
        publisher: tells the others; None when there are none.
        index: who listens to what in this process.
        fanout: delivers the diffs.
        somewhere: runs something on whatever loop there is.
        executor: gives the threads that plain functions run in.
    """

    def __init__(
        self,
        presence: Presence,
        store: PresenceStore | None,
        publisher: Publisher | None,
        index: Index,
        fanout: Fanout,
        *,
        somewhere: Callable[[Coroutine[Any, Any, Any]], None],
        executor: Callable[[], Executor],
    ) -> None:
        self._presence = presence
        self._index = index
        self._fanout = fanout
        self._somewhere = somewhere
        self._executor = executor
        self._exchange: PresenceExchange | None = None
        if store is not None and publisher is not None:
            self._exchange = PresenceExchange(
                store, publisher, presence.lease, own=self._own, needed=self._needed, alive=self._bury
            )
        self._lock = threading.RLock()
        self._watches: dict[str, Watch] = {}
        self._last_heard: dict[str, float] = {}
        self._flush_begun: float | None = None
        self._gaps = 0
        self._secret = secrets.token_bytes(16)

    def wants(self, channel: str) -> bool:
        """Say whether this process listens to a channel of the backplane to know who is present."""
        return channel.startswith(_CHANNELS) and channel[len(_CHANNELS) :] in self._watches

    def began(self, session: Session, audience: Audience) -> None:
        """Note that a connection listens to a topic."""
        if self._counts(session, audience):
            self._change(session, audience, present=True)

    def ended(self, session: Session, audience: Audience) -> None:
        """Note that a connection does not listen to a topic any more."""
        if self._counts(session, audience):
            self._change(session, audience, present=False)
        self.unwatch(session, audience.topic or "")

    def identified(self, session: Session) -> None:
        """Note that a connection has a user now."""
        for audience in list((session.topics or {}).values()):
            self.began(session, audience)

    def left(self, session: Session) -> None:
        """Note that a connection has ended."""
        for audience in list((session.topics or {}).values()):
            self.ended(session, audience)

    async def watch(self, session: Session, topic: str) -> PresenceState:
        """Have a connection told of who comes and goes on a topic; return who is there.

        The diffs are held back until `release`, so that none arrives before the state.

        Raises:
            Problem: ``forbidden`` where there is no presence; ``unavailable`` when the store is away.
        """
        if not self._presence.covers(topic):
            raise Problem("This topic has no presence.", code="forbidden")
        with self._lock:
            watch = self._watches.get(topic)
            if watch is None:
                watch = self._watches[topic] = Watch(topic)
            watch.sessions.setdefault(session, [])
        try:
            await self._load(watch)
        except BaseException:
            self.unwatch(session, topic)
            raise
        await self._told(watch)
        with self._lock:
            if session in watch.sessions:
                watch.sessions[session] = []
            return watch.state()

    def release(self, session: Session, topic: str) -> None:
        """Let a connection have the diffs that were held back, and those that come."""
        with self._lock:
            watch = self._watches.get(topic)
            held = watch.sessions.get(session) if watch is not None else None
            if watch is None or held is None:
                return
            watch.sessions[session] = None
            for event in held:
                self._fanout.push(event, watch.audience, [session])

    def unwatch(self, session: Session, topic: str) -> None:
        """Tell a connection no more of who comes and goes."""
        with self._lock:
            watch = self._watches.get(topic)
            if watch is None or session not in watch.sessions:
                return
            del watch.sessions[session]
            if watch.sessions:
                return
            del self._watches[topic]
        if self._exchange is not None:
            self._somewhere(self._exchange.let_go(topic))

    async def members(self, topic: str) -> list[Member]:
        """Return who is present on a topic, in all processes.

        Raises:
            Exception: what the store raises, or TimeoutError when it does not answer.
        """
        with self._lock:
            watch = self._watches.get(topic)
            known = list(watch.members.items()) if watch is not None and watch.loaded else None
        if known is None:
            known = [*self._own_members(topic).items(), *(await self._elsewhere(topic)).items()]
        users = grouped(known)
        infos = await self._infos([user_id for user_id, _ in users.values()])
        return [
            Member(user_id=user_id, info=infos.get(key), metas=[Meta(ref=ref) for ref in refs])
            for key, (user_id, refs) in users.items()
        ]

    def hear(self, change: PresenceChange) -> None:
        """Take in what another process says."""
        with self._lock:
            now = monotonic()
            for process, _, _ in change.joins:
                self._last_heard[process] = now
            watch = self._watches.get(change.topic)
            if watch is None:
                return
            watch.hear(change)
        self._flush_soon()

    def miss(self, channels: Iterable[str] | None) -> None:
        """Note that something may have been missed: of some channels, or of all."""
        if self._exchange is None:
            return
        if channels is None:
            with self._lock:
                self._gaps += 1
                number = self._gaps
            self._somewhere(self._recover(self._exchange, number))
            return
        for channel in channels:
            watch = self._watches.get(channel[len(_CHANNELS) :]) if channel.startswith(_CHANNELS) else None
            if watch is not None:
                self._somewhere(self._reload([watch]))

    async def stop(self) -> None:
        """Give the lease back."""
        if self._exchange is not None:
            await self._exchange.stop()

    def _counts(self, session: Session, audience: Audience) -> bool:
        """Say whether who listens is present: users, in rooms and on topics. An anonymous connection is nobody."""
        if session.user_id is None or audience.kind not in {"room", "topic"} or isinstance(audience, TopicFilter):
            return False
        return self._presence.covers(audience.topic or "")

    def _ref(self, session: Session) -> str:
        # Whoever knows it must not be able to address the connection.
        return hmac.digest(self._secret, session.id.encode(), "sha256").hex()[:16]

    @property
    def _process(self) -> str:
        return self._exchange.process if self._exchange is not None else ""

    def _change(self, session: Session, audience: Audience, *, present: bool) -> None:
        topic, ref, user_id = audience.topic or "", self._ref(session), _as_json(session.user_id)
        with self._lock:
            watch = self._watches.get(topic)
            if watch is not None:
                if present:
                    watch.members[self._process, ref] = user_id
                else:
                    watch.members.pop((self._process, ref), None)
                watch.untold = True
        if self._exchange is not None:
            self._exchange.note((topic, ref, user_id), present=present)
        elif watch is None:
            return
        self._flush_soon()

    def _flush_soon(self) -> None:
        with self._lock:
            now = monotonic()
            # A loop may have ended before it came to this.
            if self._flush_begun is not None and now - self._flush_begun < _OVERDUE:
                return
            self._flush_begun = now
        self._somewhere(self._flush())

    async def _flush(self) -> None:
        await asyncio.sleep(_INTERVAL)
        with self._lock:
            self._flush_begun = None
            untold = [watch for watch in self._watches.values() if watch.untold]
        for watch in untold:
            await self._tell(watch)
        if self._exchange is not None:
            await self._exchange.flush()

    async def _told(self, watch: Watch) -> None:
        """Wait until all that is known by now has been told, whoever is at it and on whatever loop."""
        told: Future[None] = Future()
        with self._lock:
            watch.waiting.append(told)
        self._somewhere(self._tell(watch))
        await asyncio.shield(asyncio.wrap_future(told))

    async def _tell(self, watch: Watch) -> None:
        """Tell those who watch what has changed. Whoever is at it goes on until nothing is left to tell."""
        with self._lock:
            watch.untold = True
            if watch.telling:
                return
            watch.telling = True
        waiting: list[Future[None]] = []
        try:
            while True:
                with self._lock:
                    if not watch.untold:
                        return
                    watch.untold = False
                    waiting, watch.waiting = watch.waiting, []
                    now = grouped(watch.members.items())
                # Whose connections are others may have another name by now: somebody else of the user came in.
                infos = await self._infos([now[key][0] for key in now if now[key] != watch.told.get(key)])
                with self._lock:
                    watch.infos.update(infos)
                    diff = watch.diff(now)
                    if diff is not None:
                        self._push(watch, diff)
                while waiting:
                    waiting.pop().set_result(None)
        finally:
            with self._lock:
                watch.telling = False
                # Should it be torn down with its loop, nobody waits for it for good.
                waiting += watch.waiting
                watch.waiting = []
            for each in waiting:
                each.set_result(None)

    def _push(self, watch: Watch, diff: PresenceDiff) -> None:
        event = encode_event(diff, new_id())
        ready: list[Session] = []
        for session, held in watch.sessions.items():
            if held is None:
                ready.append(session)
            else:
                held.append(event)
        self._fanout.push(event, watch.audience, ready)

    async def _infos(self, user_ids: list[int | str]) -> Mapping[str, Any]:
        """Return what the application says of users, by the text of their ids."""
        hook = self._presence.info
        if hook is None or not user_ids:
            return {}
        try:
            if form_of(hook).is_async:
                infos = await resolved(hook(user_ids))
            else:
                infos = await resolved(asyncio.wrap_future(self._executor().submit(hook, user_ids)))
            return {str(user_id): info for user_id, info in infos.items()}
        except Exception:
            log.exception("the info of members who are present could not be had")
            return {}

    async def _load(self, watch: Watch) -> None:
        """Find out who is there, unless that is known or being found out."""
        if watch.loaded:
            return
        if self._exchange is None:
            with self._lock:
                watch.finish(watch.begin(), self._own_members(watch.topic))
            return
        try:
            await self._reload_one(watch)
        except Exception as error:
            log.warning("who is present on %r cannot be found out: %r", watch.topic, error)
            raise Problem("Who is present cannot be found out right now.", code="unavailable") from error

    async def _reload_one(self, watch: Watch) -> None:
        with self._lock:
            number = watch.begin()
        elsewhere: dict[Key, int | str] | None = None
        try:
            elsewhere = await self._elsewhere(watch.topic, listen=True)
        finally:
            with self._lock:
                members = None if elsewhere is None else {**elsewhere, **self._own_members(watch.topic)}
                watch.finish(number, members)

    async def _reload(self, watches: Iterable[Watch]) -> None:
        for watch in watches:
            try:
                await self._reload_one(watch)
            except Exception as error:
                log.warning("who is present on %r cannot be found out: %r", watch.topic, error)
            else:
                await self._tell(watch)

    async def _recover(self, exchange: PresenceExchange, number: int) -> None:
        """Put what is missing, and look at all that is watched once the others have had time for the same."""
        try:
            await exchange.recover()
        except Exception as error:
            log.debug("presence could not be put again yet: %r", error)
        await asyncio.sleep(_SETTLING)
        with self._lock:
            if number != self._gaps:
                return  # there was another gap since, and whoever was told of that one looks
            watches = list(self._watches.values())
        await self._reload(watches)

    async def _elsewhere(self, topic: str, *, listen: bool = False) -> dict[Key, int | str]:
        """Return who is present in other processes."""
        if self._exchange is None:
            return {}
        found = await (self._exchange.load(topic) if listen else self._exchange.members(topic))
        own = self._process
        return {(process, ref): user_id for process, ref, user_id in found if process != own}

    def _own_members(self, topic: str) -> dict[Key, int | str]:
        audience = audience_of(topic)
        return {
            (self._process, self._ref(session)): _as_json(session.user_id)
            for session in self._index.members(topic)
            if self._counts(session, audience)
        }

    def _own(self) -> list[Entry]:
        return [
            (audience.topic or "", self._ref(session), _as_json(session.user_id))
            for session in list(self._index.connections.values())
            for audience in list((session.topics or {}).values())
            if self._counts(session, audience)
        ]

    def _needed(self) -> bool:
        return bool(self._watches) or any(
            self._counts(session, audience)
            for session in list(self._index.connections.values())
            for audience in list((session.topics or {}).values())
        )

    def _bury(self, alive: frozenset[str], since: float) -> None:
        """Take processes for dead whose leases have ended, unless they were heard of after that was asked.

        The store answers, so what could not be found out before is asked again.
        """
        changed = False
        with self._lock:
            for process in [each for each, heard in self._last_heard.items() if heard < since]:
                del self._last_heard[process]
            known = {*alive, *self._last_heard, self._process}
            for watch in self._watches.values():
                for key in [key for key in watch.members if key[0] not in known]:
                    del watch.members[key]
                    watch.untold = changed = True
            stale = [watch for watch in self._watches.values() if watch.stale and not watch.loading]
        if changed:
            self._flush_soon()
        if stale:
            self._somewhere(self._reload(stale))


def _as_json(user_id: object) -> int | str:
    return user_id if isinstance(user_id, int) else str(user_id)
