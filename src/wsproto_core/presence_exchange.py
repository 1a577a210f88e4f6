"""Presence between processes: what this one puts into the store and tells the others, and the lease that holds it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
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
        self._incomplete = False
        self._keeper: asyncio.Task[None] | None = None
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
        if self._pending or self._incomplete:
            await self._at_home(self._flush())

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
        await self._at_home(self._renew_and_flush())

    async def stop(self) -> None:
        """Give the lease back."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None and not keeper.done() and keeper.get_loop().is_running():
            await self._at_home(self._end(keeper))

    async def _at_home(self, work: Coroutine[Any, Any, _T]) -> _T:
        async with asyncio.timeout(2 * _PATIENCE):
            return await self._publisher.run(work)

    async def _load(self, topic: str) -> Sequence[Present]:
        async with asyncio.timeout(_PATIENCE):
            await self._publisher.follow([presence_channel(topic)])
            # Who looks holds a lease too: with each renewal it learns whose leases have ended.
            await self._hold()
            return await self._store.members(topic)

    async def _flush(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
            anew, self._incomplete = self._incomplete, False
        joins, leaves = _net(batch)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._hold()
                if anew:
                    await self._store.leave(self.process)
                    await self._renew(tell=True)
                if joins:
                    await self._store.add(self.process, joins)
                if leaves:
                    await self._store.remove(self.process, leaves)
        except Exception as error:
            with self._lock:
                self._pending[:0] = batch
                self._incomplete |= anew
            self._note(error)
            return
        self._note(None)
        await self._tell(joins, leaves)

    async def _tell(self, joins: Iterable[Entry], leaves: Iterable[Entry]) -> None:
        changes: defaultdict[str, tuple[list[Present], list[Present]]] = defaultdict(lambda: ([], []))
        for place, entries in enumerate((joins, leaves)):
            for topic, ref, user_id in entries:
                changes[topic][place].append((self.process, ref, user_id))
        for topic, (came, went) in changes.items():
            await self._publisher.change_presence(topic, came, went)

    async def _hold(self) -> None:
        """See to it that there is a lease, and somebody who renews it on this loop."""
        here = asyncio.get_running_loop()
        if self._keeper is None or self._keeper.done() or self._keeper.get_loop() is not here:
            await self._renew(tell=False)
            self._keeper = here.create_task(self._keep())

    async def _renew(self, *, tell: bool) -> None:
        begun = monotonic()
        renewal = await self._store.renew(self.process, self._lease)
        if renewal.fresh:
            own = self._own()
            for start in range(0, len(own), _CHUNK):
                await self._store.add(self.process, own[start : start + _CHUNK])
            if tell:
                await self._tell(own, ())
        self._alive(renewal.alive, begun)

    async def _renew_and_flush(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._renew(tell=True)
        except Exception as error:
            self._note(error)
        else:
            self._note(None)
            await self.flush()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._lease / _RENEWALS)
            if not self._needed() and not self._pending:
                break
            await self._renew_and_flush()
        await self._give_back()

    async def _end(self, keeper: asyncio.Task[None]) -> None:
        await cancel_and_wait(keeper)
        await self._give_back()
        # Whose connections have not ended yet, the others would miss only with the next renewal.
        await self._tell((), self._own())

    async def _give_back(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._store.leave(self.process)
        except Exception as error:
            # It ends by itself.
            log.debug("the lease of presence could not be given back: %r", error)

    def _note(self, error: Exception | None) -> None:
        if error is not None and not self._failing:
            log.warning("the store of presence fails; other processes do not learn who comes and goes: %r", error)
        elif error is None and self._failing:
            log.warning("the store of presence works again")
        self._failing = error is not None


def _net(batch: Iterable[tuple[Entry, bool]]) -> tuple[list[Entry], list[Entry]]:
    """Return who is there now and was not before, and the other way round."""
    changes: dict[tuple[str, str], tuple[Entry, bool, bool]] = {}
    for entry, present in batch:
        key = (entry[0], entry[1])
        first = changes[key][1] if key in changes else present
        changes[key] = (entry, first, present)
    net = [(entry, present) for entry, first, present in changes.values() if first == present]
    return [entry for entry, present in net if present], [entry for entry, present in net if not present]
