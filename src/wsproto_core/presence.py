"""Presence: who is on a topic, and where that is kept when there are several processes (protocol section 10).

A member is a user; each of its connections is one meta with a ref of its own. A process holds a lease in the store and
renews it. When it is killed, the lease ends, and its members with it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

from pydantic import BaseModel, Field

from wsproto_core.errors import ConfigurationError, InvalidTopicError
from wsproto_core.filters import FilterTrie
from wsproto_core.topics import check_filter, has_wildcards

__all__ = [
    "Entry",
    "Member",
    "MemoryPresenceStore",
    "Meta",
    "Presence",
    "PresenceStore",
    "Present",
    "Renewal",
    "SupportsPresence",
]

Present = tuple[str, str, int | str]
"""One connection of somebody who is present: its process, its ref, the user's id."""

Entry = tuple[str, str, int | str]
"""A topic, the ref of a connection, the user's id."""

Info = Callable[[list[int | str]], Mapping[Any, Any] | Awaitable[Mapping[Any, Any]]]

_SHORTEST_LEASE: Final = 1.0  # seconds


class Meta(BaseModel):
    """One connection of a member."""

    ref: str


class Member(BaseModel):
    """A user who is present, with what the application says of it and all its connections."""

    user_id: int | str
    info: Any = Field(default=None, exclude_if=lambda info: info is None)
    metas: list[Meta] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a store answers to who renews its lease.

    Attributes:
        fresh: the lease is a new one, so nothing that was put before is there.
        alive: the processes whose leases hold, this one included.
    """

    fresh: bool
    alive: frozenset[str]


class PresenceStore(Protocol):
    """Keeps who is present, for all processes. Used on one event loop at a time, like a backplane.

    What is kept of a process whose lease has ended counts for nothing, and is removed by whoever notices.
    """

    async def renew(self, process: str, lease: float) -> Renewal:
        """Hold the lease of a process for so many seconds from now, by the store's clock."""
        ...

    async def add(self, process: str, entries: Sequence[Entry]) -> None:
        """Note who is present. What is there already stays."""
        ...

    async def remove(self, process: str, entries: Sequence[Entry]) -> None:
        """Forget who was present. What is not there is passed over."""
        ...

    async def members(self, topic: str) -> Sequence[Present]:
        """Return who is present on a topic, of the processes whose leases hold."""
        ...

    async def leave(self, process: str) -> None:
        """Forget a process and all that it put."""
        ...


class SupportsPresence(Protocol):
    """A backplane whose engine can keep who is present."""

    def presence_store(self) -> PresenceStore:
        """Return the store of this engine."""
        ...


class MemoryPresenceStore:
    """Keeps who is present in this process, for the hubs that share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, float] = {}
        self._kept: dict[str, dict[tuple[str, str], int | str]] = {}

    async def renew(self, process: str, lease: float) -> Renewal:
        """Hold the lease of a hub."""
        now = monotonic()
        with self._lock:
            for each in [each for each, end in self._leases.items() if end <= now]:
                self._forget(each)
            fresh = process not in self._leases
            self._leases[process] = now + lease
            return Renewal(fresh, frozenset(self._leases))

    async def add(self, process: str, entries: Sequence[Entry]) -> None:
        """Note who is present."""
        with self._lock:
            for topic, ref, user_id in entries:
                self._kept.setdefault(topic, {})[process, ref] = user_id

    async def remove(self, process: str, entries: Sequence[Entry]) -> None:
        """Forget who was present."""
        with self._lock:
            for topic, ref, _ in entries:
                kept = self._kept.get(topic, {})
                if kept.pop((process, ref), None) is not None and not kept:
                    del self._kept[topic]

    async def members(self, topic: str) -> Sequence[Present]:
        """Return who is present on a topic."""
        now = monotonic()
        with self._lock:
            kept = self._kept.get(topic, {})
            return [
                (process, ref, user_id)
                for (process, ref), user_id in kept.items()
                if self._leases.get(process, 0.0) > now
            ]

    async def leave(self, process: str) -> None:
        """Forget a hub and all that it put."""
        with self._lock:
            self._forget(process)

    def _forget(self, process: str) -> None:
        self._leases.pop(process, None)
        for topic, kept in list(self._kept.items()):
            for key in [key for key in kept if key[0] == process]:
                del kept[key]
            if not kept:
                del self._kept[topic]


class Presence:
    """How presence works; given to ``configure_websocket(presence=…)``.

    ::

        async def names(user_ids: list[int]) -> dict[int, dict[str, str]]:
            return {user.id: {"name": user.name} for user in await load_users(user_ids)}

        configure_websocket(app, presence=Presence(topics=["room/+"], info=names))

    Args:
        topics: names and filters of the topics that have it; by default all rooms and topics do.
        info: what is told of members, such as names: a function, sync or async, that takes a list of user ids and
            returns a mapping from them to anything that JSON can carry. It is asked once for all who come at a time.
        lease: seconds after which the members of a process that was killed are gone.
        store: where it is kept; by default in the engine of the backplane.

    Raises:
        ConfigurationError: a lease or a filter that is none.
    """

    def __init__(
        self,
        *,
        topics: Iterable[str] | None = None,
        info: Info | None = None,
        lease: float = 30,
        store: PresenceStore | None = None,
    ) -> None:
        if isinstance(lease, bool) or not isinstance(lease, (int, float)) or not _SHORTEST_LEASE <= lease < math.inf:
            raise ConfigurationError(f"Presence(lease=…) is a number of seconds, at least 1, not {lease!r}.")
        if info is not None and not callable(info):
            raise ConfigurationError(f"Presence(info=…) is a function or None, not {type(info).__name__}.")
        if isinstance(topics, str):
            raise ConfigurationError(f"Presence(topics=…) is a list of names and filters: [{topics!r}].")
        self.lease = float(lease)
        self.info = info
        self.store = store
        self._topics = None if topics is None else _Topics(topics)

    def covers(self, topic: str) -> bool:
        """Say whether a topic, by its name as in ``room/lobby``, has presence."""
        return self._topics is None or topic in self._topics


class _Topics:
    """A set of names and filters."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._filters: FilterTrie[str] = FilterTrie()
        for each in topics:
            try:
                _check(each)
            except (InvalidTopicError, TypeError) as error:
                raise ConfigurationError(f"Presence(topics=…): {error}") from error
            if has_wildcards(each):
                self._filters[each] = each
            else:
                self._names.add(each)

    def __contains__(self, topic: str) -> bool:
        return topic in self._names or any(True for _ in self._filters.match(topic))


def _check(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name of a topic.")
    # Below the reserved level of rooms, every name and every filter is one.
    check_filter(f"r{name[4:]}" if name.startswith("room/") else name)
