"""Between processes: what one hub publishes, the others that listen for it receive.

The in-memory backplane connects the hubs of one process. ``memory://`` is the private one of a single hub, where there
is nobody to tell; ``memory://name`` is shared by all hubs of the process that name it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable
from typing import Final, Protocol, cast, runtime_checkable

from wsproto_core.errors import ConfigurationError
from wsproto_core.filters import FilterTrie
from wsproto_core.presence import MemoryPresenceStore, PresenceStore
from wsproto_core.topics import RESERVED_LEVELS, has_wildcards

__all__ = ["Backplane", "MemoryBackplane", "Receiver", "backplane_from"]

# The schemes of the engines, and the adapter that knows each: it has a function `backplane_from_url(url)`.
_ADAPTERS: Final = {
    "redis": "wsproto_redis",
    "rediss": "wsproto_redis",
    "redis+unix": "wsproto_redis",
    "redis+sentinel": "wsproto_redis",
    "rediss+sentinel": "wsproto_redis",
    "redis+cluster": "wsproto_redis",
    "rediss+cluster": "wsproto_redis",
    "nats": "wsproto_nats",
    "tls": "wsproto_nats",
}


class Receiver(Protocol):
    """What a backplane tells its hub. It may be called from any thread, and returns at once."""

    def __call__(self, topic: str, message: bytes) -> None:
        """Take a message that a hub published to a topic."""
        ...

    def malformed(self, what: str) -> None:
        """Take word of a message that is none: it is counted, logged now and then, and skipped.

        Args:
            what: was wrong with it, for the log.
        """
        ...

    def gap(self, topics: Iterable[str] | None = None) -> None:
        """Take word that messages may have been missed, once the topics are listened to again.

        Args:
            topics: of which; None stands for all of them.
        """
        ...


@runtime_checkable
class Backplane(Protocol):
    """Carries messages between hubs. A process is told only what it listens to.

    All methods are called on one event loop, that of `start`. When it has ended without a `stop`, the next loop that
    needs the backplane starts it again there, and subscribes anew. What is done about one topic is done in order, one
    step at a time; different topics may be under way at once. An exception is counted and logged, and the process
    goes on by itself.

    An engine that is away is no exception for `start`, `subscribe` and `unsubscribe`: the backplane remembers what is
    wanted, comes back by itself, listens to all of it again, and then tells of the gap. `publish` raises at once while
    the engine is away. What one hub publishes to a topic arrives in that order.

    A topic that is listened to may be a filter with the wildcards of MQTT 5 section 4.7, which stand for no reserved
    first level (protocol section 7). A backplane that cannot ask its engine for just that may listen to more: what
    nobody in this process wants is dropped.
    """

    async def start(self, receiver: Receiver) -> None:
        """Connect; from now on the receiver is called for each message of a topic that is subscribed."""
        ...

    async def stop(self) -> None:
        """Disconnect and let everything go."""
        ...

    async def subscribe(self, topic: str) -> None:
        """Begin to listen to a topic; return once the engine has confirmed it, if it is there."""
        ...

    async def unsubscribe(self, topic: str) -> None:
        """Stop listening to a topic."""
        ...

    async def publish(self, topic: str, message: bytes) -> None:
        """Send a message to every other hub that listens to the topic; the sender may hear it as well.

        It may be queued, to be sent together with others; then an error of an earlier message may be raised by a later
        one. A process that has no connections publishes without a `start`, on whatever loop it has.
        """
        ...


class _Bus:
    """The topics of one name, and who listens."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.listeners: dict[str, dict[MemoryBackplane, Receiver]] = {}
        self.filters: FilterTrie[dict[MemoryBackplane, Receiver]] = FilterTrie()
        self.presence = MemoryPresenceStore()

    def receivers(self, topic: str) -> dict[MemoryBackplane, Receiver]:
        found = dict(self.listeners.get(topic, {}))
        if self.filters and topic.partition("/")[0] not in RESERVED_LEVELS:
            for listeners in self.filters.match(topic):
                found.update(listeners)
        return found


_buses: Final[dict[str, _Bus]] = {}
_buses_lock: Final = threading.Lock()


class MemoryBackplane:
    """Connects the hubs of one process that use the same name.

    Args:
        name: empty for a hub that is alone.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        with _buses_lock:
            self._bus = _buses.setdefault(name, _Bus()) if name else _Bus()
        self._receiver: Receiver | None = None

    async def start(self, receiver: Receiver) -> None:
        """Take the receiver of this hub."""
        self._receiver = receiver

    async def stop(self) -> None:
        """Forget what this hub listens to."""
        self._receiver = None
        with self._bus.lock:
            for topic in [topic for topic, who in self._bus.listeners.items() if self in who]:
                self._forget(topic)

    async def subscribe(self, topic: str) -> None:
        """Begin to listen to a topic."""
        if self._receiver is not None:
            with self._bus.lock:
                listeners = self._bus.listeners.setdefault(topic, {})
                listeners[self] = self._receiver
                if has_wildcards(topic):
                    self._bus.filters[topic] = listeners

    async def unsubscribe(self, topic: str) -> None:
        """Stop listening to a topic."""
        with self._bus.lock:
            self._forget(topic)

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand a message to the other hubs that listen to the topic."""
        with self._bus.lock:
            receivers = [receiver for who, receiver in self._bus.receivers(topic).items() if who is not self]
        for receiver in receivers:
            receiver(topic, message)

    def presence_store(self) -> PresenceStore:
        """Return the store of the hubs that use this name."""
        return self._bus.presence

    def _forget(self, topic: str) -> None:
        listeners = self._bus.listeners.get(topic, {})
        if listeners.pop(self, None) is not None and not listeners:
            del self._bus.listeners[topic]
            if has_wildcards(topic):
                del self._bus.filters[topic]


def backplane_from(value: str | Backplane) -> Backplane | None:
    """Return the backplane that a setting names; None for ``memory://``, where there is nobody to tell.

    Raises:
        ConfigurationError: a URL of an unknown kind, or an object that is no backplane.
    """
    if not isinstance(value, str):
        if isinstance(value, Backplane):
            return value
        raise ConfigurationError(
            f"backplane must be a URL or an object with the Backplane protocol, not {type(value).__name__}."
        )
    scheme, separator, name = value.partition("://")
    if separator and scheme.lower() == "memory":
        return MemoryBackplane(name) if name else None
    adapter = _ADAPTERS.get(scheme.lower()) if separator else None
    if adapter is None:
        # The rest of the URL may be a password.
        wrong = f"the scheme {scheme!r} is unknown" if separator else "that is no URL"
        raise ConfigurationError(
            f"backplane: {wrong}; there are memory://, {', '.join(f'{each}://' for each in _ADAPTERS)}."
        )
    # The adapter says itself which library it misses.
    return cast("Backplane", importlib.import_module(adapter).backplane_from_url(value))
