"""Who listens to what in this process. Safe from any thread; what is returned is a copy."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from wsproto_core.filters import FilterTrie
from wsproto_core.recipients import Audience, TopicFilter, user
from wsproto_core.routes import EVERYONE_CHANNEL, connection_channel
from wsproto_core.topics import RESERVED_LEVELS, escape_level

if TYPE_CHECKING:
    from wsproto_core.session import Session

__all__ = ["Index"]


class Index:
    """Connections by id, and their subscriptions by topic."""

    __slots__ = ("_channels", "_connections", "_filters", "_lock", "_topics", "connections")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[str, Session] = {}
        # What is for one connection comes through these, and how many share each.
        self._channels: Counter[str] = Counter()
        # Filters are among them, by their text, so that whoever joins and leaves need not care.
        self._topics: dict[str, dict[Session, Audience]] = {}
        self._filters: FilterTrie[dict[Session, Audience]] = FilterTrie()
        self.connections: Mapping[str, Session] = MappingProxyType(self._connections)

    @property
    def topic_count(self) -> int:
        """How many topics somebody listens to."""
        return len(self._topics)

    def add(self, session: Session) -> None:
        """Take a connection in, and subscribe it to its user's topic."""
        with self._lock:
            if session.id not in self._connections:
                self._channels[connection_channel(session.id)] += 1
            self._connections[session.id] = session
        self.identify(session)

    def identify(self, session: Session) -> str | None:
        """Subscribe a connection to the topic of its user; return that if it is the first of this process."""
        if session.user_id is None:
            return None
        audience = user(session.user_id)
        name = f"user/{escape_level(audience.id)}"
        return name if self.join(session, name, audience) else None

    def join(self, session: Session, name: str, audience: Audience) -> bool:
        """Subscribe a connection; say whether it is the first of this process."""
        with self._lock:
            if self._connections.get(session.id) is not session:
                # It has ended, even if another one has its id by now.
                return False
            members = self._topics.get(name)
            first = members is None
            if members is None:
                members = self._topics[name] = {}
                if isinstance(audience, TopicFilter):
                    self._filters[name] = members
            members[session] = audience
            if session.topics is None:
                session.topics = {}
            session.topics[name] = audience
            return first

    def leave(self, session: Session, name: str) -> bool:
        """Unsubscribe a connection; say whether it was the last of this process."""
        with self._lock:
            if session.topics is not None:
                session.topics.pop(name, None)
            return self._drop(session, name)

    def remove(self, session: Session) -> list[str]:
        """Let a connection go; return the topics that perhaps nobody of this process listens to any more.

        The session keeps its own list, for ``on_disconnect``.
        """
        with self._lock:
            channel = connection_channel(session.id)
            if self._connections.get(session.id) is session:
                del self._connections[session.id]
                self._channels[channel] -= 1
                if not self._channels[channel]:
                    del self._channels[channel]
            dropped = [name for name in session.topics or () if self._drop(session, name)]
            return [*dropped, channel, EVERYONE_CHANNEL]

    def members(self, name: str) -> list[Session]:
        """Return who listens to a topic."""
        with self._lock:
            return list(self._topics.get(name, ()))

    def listeners(self, name: str) -> list[Session]:
        """Return who listens to a topic of the application, by its name or by filters that match it; each once."""
        with self._lock:
            exact = self._topics.get(name, {})
            if not self._filters:
                return list(exact)
            found = dict(exact)
            for members in self._filters.match(name):
                found.update(members)
            return list(found)

    def behind(self, channel: str) -> list[Session]:
        """Return the connections that a channel leads to; see `wsproto_core.routes`."""
        if channel == EVERYONE_CHANNEL:
            return list(self._connections.values())
        if channel not in self._channels:
            # Wildcards stand for no reserved level, and who listens with them may not know of one.
            reserved = channel.partition("/")[0] in RESERVED_LEVELS
            return self.members(channel) if reserved else self.listeners(channel)
        return [each for each in list(self._connections.values()) if connection_channel(each.id) == channel]

    def has(self, name: str) -> bool:
        """Say whether anybody listens to a topic, or to what `channel_of` names a connection or everyone."""
        if name == EVERYONE_CHANNEL:
            return bool(self._connections)
        return name in self._topics or name in self._channels

    def topics_of(self, session: Session) -> list[str]:
        """Return what a connection listens to, its own channel and everyone's included."""
        with self._lock:
            return [*(session.topics or ()), connection_channel(session.id), EVERYONE_CHANNEL]

    def rooms(self) -> list[str]:
        """Return the names of the rooms that somebody is in."""
        return self._names("room")

    def topics(self) -> list[str]:
        """Return the application's topics and filters that somebody listens to."""
        return self._names("topic")

    def _names(self, kind: str) -> list[str]:
        with self._lock:
            first_members = [next(iter(members.values())) for members in self._topics.values()]
        return [audience.id for audience in first_members if audience.kind == kind]

    def _drop(self, session: Session, name: str) -> bool:
        members = self._topics.get(name)
        audience = members.pop(session, None) if members is not None else None
        if audience is None or members:
            return False
        del self._topics[name]
        if isinstance(audience, TopicFilter):
            del self._filters[name]
        return True
