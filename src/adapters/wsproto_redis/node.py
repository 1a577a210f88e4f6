"""One server, kept in touch with: a connection to listen and one to publish, made anew whenever they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Protocol

from wsproto_core.tasks import cancel_and_wait, start_eagerly
from wsproto_redis.channels import Kind, Subscription
from wsproto_redis.link import Away, Link, ReplyError, give_up, open_link
from wsproto_redis.places import Places
from wsproto_redis.urls import Address, Options

__all__ = ["Node", "Owner"]

log = logging.getLogger("wsproto_core.redis")

_SHORTEST_PAUSE: Final = 0.05  # seconds between attempts to connect; each is twice as long as the one before
_LONGEST_PAUSE: Final = 0.5
_SHORT_LIFE: Final = 2.0  # seconds; a connection that ends sooner is followed by a pause
_LAST_WORDS: Final = 1.0  # seconds that what was published has to get through when it all ends
_NAMES: Final = 512  # channels in one command


class Owner(Protocol):
    """Who the node works for."""

    listens: bool

    def wanted_of(self, node: Node) -> Iterable[Subscription]:
        """Return what the node has to listen to."""
        ...

    def wants(self, node: Node, subscription: Subscription) -> bool:
        """Say whether the node has to listen to something."""
        ...

    def message(self, kind: bytes, push: list[Any]) -> None:
        """Take a message."""
        ...

    def active(self, subscription: Subscription, begins: bool) -> None:
        """Take word that messages of a subscription come from now on, or no more."""
        ...

    def stale(self) -> None:
        """Take word that what is known of the cluster may be out of date."""
        ...

    def missed(self, subscriptions: Iterable[Subscription]) -> None:
        """Take word that messages of these may have been missed, and that they are listened to again."""
        ...


class Node:
    """Keeps in touch with one server.

    Args:
        owner: who it is for.
        places: knows how to connect.
        address: which server.
        options: time-outs.

    Attributes:
        address: which server.
        mouth: the connection to publish, while there is one.
        refused: what Redis does not let us listen to.
    """

    def __init__(self, owner: Owner, places: Places, address: Address, options: Options) -> None:
        self.address = address
        self.mouth: Link | None = None
        self.refused: dict[Subscription, ReplyError] = {}
        self._owner = owner
        self._places = places
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._ear: Link | None = None
        self._asked: set[Subscription] = set()
        self._ending: Counter[Subscription] = Counter()  # confirmations that are still to come
        self._active: set[Subscription] = set()
        self._moved: set[Subscription] = set()
        self._dirty: set[Subscription] = set()
        self._flush_done: asyncio.Future[None] | None = None
        self._flushes: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._tried = asyncio.Event()
        self._away = False
        self._heard_before = False
        self._keepalive: asyncio.TimerHandle | None = None
        self._keeper = self._loop.create_task(self._keep(), name=f"wsproto_redis {address[0]}")

    @property
    def name(self) -> str:
        """What the log calls it."""
        host, port = self.address
        return f"Redis at {host}:{port}" if host else str(self._places.location)

    @property
    def is_open(self) -> bool:
        """Whether the server can be published to."""
        return self.mouth is not None and self.mouth.is_open

    async def tried(self) -> None:
        """Wait until an attempt to connect has gone well or wrong."""
        await self._tried.wait()

    def listen(self) -> None:
        """Begin to listen, where there was only publishing so far."""
        self._tried.clear()
        self._news.set()

    def change(self, subscriptions: Iterable[Subscription]) -> asyncio.Future[None]:
        """Bring Redis up to date about these, with whatever else changes at this time.

        Returns:
            What is done when Redis has confirmed it, or cannot be reached.
        """
        self._dirty.update(subscriptions)
        if self._flush_done is None:
            self._flush_done = self._loop.create_future()
            self._loop.call_soon(self._flush)
        return self._flush_done

    def review(self) -> None:
        """Look at everything again: slots may belong to another node now."""
        self.change({*self._asked, *self._owner.wanted_of(self)})

    async def stop(self, seconds: float = _LAST_WORDS) -> None:
        """Let what was published get through, and end."""
        if self.mouth is not None and self.mouth.is_open:
            await self.mouth.drain(seconds)
        await cancel_and_wait(self._keeper, *self._flushes)
        self.close()

    def close(self) -> None:
        """Let everything go at once; also when the loop has been closed, or is another process's."""
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None
        for link in (self._ear, self.mouth):
            if link is not None:
                link.close()
        self._ear = self.mouth = None
        if self._flush_done is not None and not self._loop.is_closed() and not self._flush_done.done():
            self._flush_done.set_result(None)
            self._flush_done = None

    def abandon(self) -> bool:
        """Let go of what a loop has left behind that was closed; say whether that was with everything on it."""
        for task in (self._keeper, *self._flushes):
            give_up(task)
        was_open = self._ear is not None or self.mouth is not None
        self.close()
        return was_open

    # Connections.

    async def _keep(self) -> None:
        pause = _SHORTEST_PAUSE
        try:
            while True:
                self._news.clear()
                begun = self._loop.time()
                try:
                    await self._connect()
                except Exception as error:
                    self._note_away(error)
                else:
                    self._note_back()
                    self._tried.set()
                    if self._is_complete():
                        await self._news.wait()
                    if self._is_complete() or (self.is_open and self._ear is None):
                        continue  # there is nothing wrong, or it is asked to listen now
                    if self._loop.time() - begun > _SHORT_LIFE:
                        pause = _SHORTEST_PAUSE
                    self._note_away(Away("the connection ended"))
                self._tried.set()
                self._owner.stale()
                # All processes lose their connections together; they need not come back in the same millisecond.
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self.close()

    def _is_complete(self) -> bool:
        ear = self._ear is not None and self._ear.is_open
        return self.is_open and (ear or not self._owner.listens)

    async def _connect(self) -> None:
        if not self.is_open:
            before, self.mouth = self.mouth, None
            mouth = await self._open(None)
            if before is not None and before.identity is not None:
                await self._fence(mouth, before.identity)
            self.mouth = mouth
        if self._owner.listens and (self._ear is None or not self._ear.is_open):
            await self._listen_again()
        if self._keepalive is None:
            self._keepalive = self._loop.call_later(self._options.keepalive, self._look)

    async def _open(self, push: Any) -> Link:
        return await open_link(
            await self._places.connection_to(self.address),
            connect_timeout=self._options.connect_timeout,
            timeout=self._options.timeout,
            push=push,
            lost=self._on_lost,
        )

    async def _fence(self, mouth: Link, identity: tuple[str, str]) -> None:
        """Have Redis forget the connection before: what it has not read of it must not come after what comes now."""
        number, address = identity
        with contextlib.suppress(ReplyError):
            await mouth.ask("CLIENT", "KILL", "ID", number, "ADDR", address)

    async def _listen_again(self) -> None:
        ear = await self._open(self._pushed)
        for each in self._active:
            self._owner.active(each, False)
        self._asked.clear()
        self._ending.clear()
        self._active.clear()
        self.refused.clear()
        # What is wanted from here on goes through the new connection; what is wanted already is told now.
        self._ear = ear
        wanted = list(self._owner.wanted_of(self))
        await self._tell(wanted, [])
        if self._heard_before or wanted:
            self._owner.missed(wanted)
        self._heard_before = True
        self._moved.clear()

    def _on_lost(self) -> None:
        self._news.set()
        # If it was for want of an answer, the other connection has to show that it lives.
        for link in (self._ear, self.mouth):
            if link is not None and link.is_open:
                _ping(link)

    def _look(self) -> None:
        """Ask whether Redis is there, if it has not said anything for long."""
        self._keepalive = self._loop.call_later(self._options.keepalive, self._look)
        quiet_since = self._loop.time() - 0.9 * self._options.keepalive
        for link in (self._ear, self.mouth):
            if link is not None and link.is_open and link.heard_at < quiet_since:
                _ping(link)

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            log.warning("%s is away: %s", self.name, str(error) or type(error).__name__)

    def _note_back(self) -> None:
        if self._away:
            self._away = False
            log.warning("%s is back", self.name)

    # Subscriptions.

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        done, self._flush_done = self._flush_done, None
        if done is None:
            return
        task = start_eagerly(self._carry_out(dirty, done), self._loop)
        if not task.done():
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _carry_out(self, dirty: set[Subscription], done: asyncio.Future[None]) -> None:
        try:
            begin = [each for each in dirty if each not in self._asked and self._owner.wants(self, each)]
            end = [each for each in dirty if each in self._asked and not self._owner.wants(self, each)]
            await self._tell(begin, end)
        except Away:
            pass  # once it is back, it is asked for what is wanted then
        finally:
            if not done.done() and not self._loop.is_closed():
                done.set_result(None)

    async def _tell(self, begin: list[Subscription], end: list[Subscription]) -> None:
        ear = self._ear
        if ear is None or not ear.is_open:
            return
        self._asked.update(begin)
        self._asked.difference_update(end)
        self._ending.update(end)
        errors = await ear.confirm([*_commands(b"UNSUBSCRIBE", end), *_commands(b"SUBSCRIBE", begin)])
        if errors:
            await self._understand(ear, begin)
        moved = self._moved.intersection(begin)
        if moved:
            self._moved -= moved
            self._owner.missed(moved)

    async def _understand(self, ear: Link, begin: list[Subscription]) -> None:
        """Find out what Redis refuses, one by one."""
        for each in begin:
            if each in self._active or not ear.is_open:
                continue
            errors = await ear.confirm(_commands(b"SUBSCRIBE", [each]))
            if errors:
                self._asked.discard(each)
                if str(errors[0]).startswith(("MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN")):
                    self._owner.stale()
                else:
                    self.refused[each] = errors[0]

    def _pushed(self, push: list[Any]) -> None:
        kind = push[0]
        if kind in _MESSAGES:
            self._owner.message(kind, push)
        elif (known := _CONFIRMATIONS.get(kind)) is not None and push[1] is not None:
            subscription, begins = Subscription(known[0], push[1]), known[1]
            (self._active.add if begins else self._active.discard)(subscription)
            self._owner.active(subscription, begins)
            if not begins:
                self._ended(subscription)

    def _ended(self, subscription: Subscription) -> None:
        asked = self._ending.pop(subscription, 0)
        if asked > 1:
            self._ending[subscription] = asked - 1
        elif not asked and subscription in self._asked:
            # Nobody asked for that: its slot belongs to another node now.
            self._asked.discard(subscription)
            self._owner.stale()

    def moves_here(self, subscriptions: Iterable[Subscription]) -> None:
        """Note that these were listened to on another node until now."""
        self._moved.update(subscriptions)


_MESSAGES: Final = frozenset({b"message", b"pmessage", b"smessage"})
_CONFIRMATIONS: Final = {
    each.value.lower() + verb: (each, verb == b"subscribe") for each in Kind for verb in (b"subscribe", b"unsubscribe")
}


def _commands(verb: bytes, subscriptions: Iterable[Subscription]) -> list[tuple[bytes, ...]]:
    names: dict[Kind, list[bytes]] = {}
    for each in subscriptions:
        names.setdefault(each.kind, []).append(each.name)
    commands: list[tuple[bytes, ...]] = []
    for kind, of_kind in names.items():
        # Sharded channels share a command only if they share a slot.
        size = 1 if kind is Kind.SHARDED else _NAMES
        commands += [(kind.value + verb, *of_kind[at : at + size]) for at in range(0, len(of_kind), size)]
    return commands


def _ping(link: Link) -> None:
    with contextlib.suppress(Away):
        link.ask("PING").add_done_callback(_take)


def _take(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()
