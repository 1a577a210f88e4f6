"""Presence between processes: what this one puts into the store and tells the others, and the lease that holds it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from wsproto_core.presence import Entry, PresenceStore, Present
from wsproto_core.publisher import Publisher
from wsproto_core.routes import presence_channel
from wsproto_core.tasks import cancel_and_wait

__all__ = ["PresenceExchange"]

log = logging.getLogger("wsproto_core.presence")

_T = TypeVar("_T")

_PATIENCE: Final = 5.0  # seconds for one step of the store
_CHUNK: Final = 1_000  # entries that are put at once
_RENEWALS: Final = 3  # in the time of a lease
_MOST: Final = 100_000  # changes that wait for a store that is away; when there are more, all is put anew


class PresenceExchange:
    """One hub's side of the store that all processes share. All that is awaited runs on the loop of the backplane.

    Args:
        store: what is shared.
        publisher: tells the others.
        lease: seconds.
        own: returns all that this process contributes.
        needed: says whether it contributes anything, or wants to know of others.
        alive: takes the processes whose leases hold, and since when that is known (seconds, monotonic).
    """

    def __init__(
        self,
        store: PresenceStore,
        publisher: Publisher,
        lease: float,
        *,
        own: Callable[[], list[Entry]],
        needed: Callable[[], bool],
        alive: Callable[[frozenset[str], float], None],
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._lease = lease
        self._own = own
        self._needed = needed
        self._alive = alive
        self._lock = threading.Lock()
        self._pending: list[tuple[Entry, bool]] = []
        self._anew = False
        self._incomplete = False
        self._holding: _Lease | None = None
        self._failing = False

    @property
    def process(self) -> str:
        """What this process is called in the store."""
        return self._publisher.origin

    def note(self, entry: Entry, *, present: bool) -> None:
        """Remember a change for the next `flush`."""
        with self._lock:
            self._pending.append((entry, present))
            if len(self._pending) > _MOST:
                self._pending.clear()
                self._incomplete = True

    async def flush(self) -> None:
        """Put what has changed, and tell the others of it. What fails is tried again when the lease is renewed."""
        if self._pending or self._anew or self._incomplete:
            await self._try_at_home(self._put_changes(renew=False))

    async def load(self, topic: str) -> Sequence[Present]:
        """Listen to who comes and goes on a topic from now on; return who is there.

        Raises:
            Exception: the store fails, or does not answer.
        """
        return await self._at_home(self._load(topic))

    async def members(self, topic: str) -> Sequence[Present]:
        """Return who is present on a topic.

        Raises:
            Exception: the store fails, or does not answer.
        """
        return await self._at_home(self._store.members(topic))

    async def let_go(self, topic: str) -> None:
        """Stop listening to who comes and goes on a topic."""
        await self._publisher.follow([presence_channel(topic)])

    async def recover(self) -> None:
        """Hold the lease again, and put what is missing, after the engine was away."""
        await self._try_at_home(self._put_changes(renew=True))

    async def stop(self) -> None:
        """Give the lease back."""
        lease = self._holding
        if lease is not None and lease.keeper is not None and lease.loop.is_running():
            await self._try_at_home(self._end(lease, lease.keeper))

    async def _at_home(self, work: Coroutine[Any, Any, _T]) -> _T:
        async with asyncio.timeout(2 * _PATIENCE):
            return await self._publisher.run(work)

    async def _try_at_home(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._at_home(work)
        except Exception as error:
            self._note(error)

    async def _load(self, topic: str) -> Sequence[Present]:
        async with asyncio.timeout(_PATIENCE):
            if not await self._publisher.follow([presence_channel(topic)], patience=_PATIENCE):
                # Whoever comes between the answer of the store and the subscription would never be heard of.
                raise ConnectionError("nobody can be heard of who comes and goes")
            # Who looks holds a lease too: with each renewal it learns whose leases have ended.
            lease = self._lease_here()
            async with lease.turn:
                await self._hold(lease)
                if self._anew:
                    await self._put()
            return await self._store.members(topic)

    async def _put_changes(self, *, renew: bool) -> None:
        """Put and tell what has changed. One at a time: what comes later must not be put before."""
        lease = self._lease_here()
        try:
            async with lease.turn:
                if renew:
                    lease.held = False
                await self._hold(lease)
                await self._put()
        except Exception as error:
            self._note(error)
        else:
            self._note(None)

    async def _put(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
            incomplete, self._incomplete = self._incomplete, False
        try:
            if incomplete:
                await _in_time(self._store.leave(self.process))
                await self._renew()
            anew, self._anew = self._anew, False
            try:
                # Of all that there is, what changes from now on waits for the next time.
                await self._put_and_tell(batch, self._own() if anew else None)
            except BaseException:
                self._anew = anew
                raise
        except BaseException:
            with self._lock:
                self._pending[:0] = batch
                self._incomplete |= incomplete
            raise

    async def _put_and_tell(self, batch: list[tuple[Entry, bool]], everything: list[Entry] | None) -> None:
        joins, leaves = _latest(batch)
        if everything is not None:
            joins = everything
        for start in range(0, len(joins), _CHUNK):
            await _in_time(self._store.add(self.process, joins[start : start + _CHUNK]))
        if leaves:
            await _in_time(self._store.remove(self.process, leaves))
        await self._tell(joins, leaves)

    async def _tell(self, joins: Iterable[Entry], leaves: Iterable[Entry]) -> None:
        changes: defaultdict[str, tuple[list[Present], list[Present]]] = defaultdict(lambda: ([], []))
        for place, entries in enumerate((joins, leaves)):
            for topic, ref, user_id in entries:
                changes[topic][place].append((self.process, ref, user_id))
        for topic, (came, went) in changes.items():
            if not await self._publisher.change_presence(topic, came, went):
                raise ConnectionError("the other processes could not be told")

    def _lease_here(self) -> _Lease:
        """Return the lease on this loop; on another one than before it is to be renewed at once."""
        here = asyncio.get_running_loop()
        if self._holding is None or self._holding.loop is not here:
            self._holding = _Lease(here)
        return self._holding

    async def _hold(self, lease: _Lease) -> None:
        """See to it that there is a lease, and somebody who renews it on this loop."""
        if lease.keeper is None or lease.keeper.done():
            # Before the first renewal, so that one that fails is tried again too.
            lease.keeper = lease.loop.create_task(self._keep(lease))
        if not lease.held:
            await self._renew()
            lease.held = True

    async def _renew(self) -> None:
        begun = monotonic()
        # That a lease is new is said once only: it is kept until everything has been put and told, and an answer that
        # did not come may have said it.
        before, self._anew = self._anew, True
        renewal = await _in_time(self._store.renew(self.process, self._lease))
        self._anew = before or renewal.fresh
        self._alive(renewal.alive, begun)

    async def _keep(self, lease: _Lease) -> None:
        while True:
            await asyncio.sleep(self._lease / _RENEWALS)
            async with lease.turn:
                if not self._needed() and not self._pending:
                    # Whoever comes meanwhile has to wait for that, and takes a new one.
                    await self._give_back(lease)
                    return
            await self._put_changes(renew=True)

    async def _end(self, lease: _Lease, keeper: asyncio.Task[None]) -> None:
        await cancel_and_wait(keeper)
        await self._give_back(lease)
        # Whose connections have not ended yet, the others would miss only with the next renewal.
        await self._tell((), self._own())

    async def _give_back(self, lease: _Lease) -> None:
        try:
            await _in_time(self._store.leave(self.process))
        except Exception as error:
            # It ends by itself.
            log.debug("the lease of presence could not be given back: %r", error)
        lease.keeper, lease.held = None, False

    def _note(self, error: Exception | None) -> None:
        if error is not None and not self._failing:
            log.warning("the store of presence fails; other processes do not learn who comes and goes: %r", error)
        elif error is None and self._failing:
            log.warning("the store of presence works again")
        self._failing = error is not None


class _Lease:
    """What is known of the lease on one loop.

    Attributes:
        loop: that one.
        turn: of whoever uses the lease, or puts something under it.
        keeper: renews it; None while nobody needs it.
        held: whether the renewal that was due has been done.
    """

    __slots__ = ("held", "keeper", "loop", "turn")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.turn = asyncio.Lock()
        self.keeper: asyncio.Task[None] | None = None
        self.held = False


async def _in_time(step: Awaitable[_T]) -> _T:
    async with asyncio.timeout(_PATIENCE):
        return await step


def _latest(batch: Iterable[tuple[Entry, bool]]) -> tuple[list[Entry], list[Entry]]:
    """Return who is there now, and who is not any more.

    Who came and went in between may have been put all the same, with all the others or by a step that failed half way.
    """
    latest = {(entry[0], entry[1]): (entry, present) for entry, present in batch}
    return (
        [entry for entry, present in latest.values() if present],
        [entry for entry, present in latest.values() if not present],
    )
