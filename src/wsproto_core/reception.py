"""What a hub hears from the others: read, acted on once, and noticed to be missing where there is a hole."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable
from time import monotonic
from typing import Final, Protocol

from wsproto_core.continuity import Continuity
from wsproto_core.publications import (
    Disconnection,
    PresenceChange,
    Publication,
    origin_mark,
    read_publication,
)
from wsproto_core.rates import TokenBucket
from wsproto_core.topics import has_wildcards

__all__ = ["Ears", "Reception"]

log = logging.getLogger("wsproto_core.backplane")

_REMEMBERED: Final = 4_096  # messages, so that one that comes twice is acted on once
_HEAD: Final = 256  # bytes within which a message says whose it is
# Log lines a second of each kind, and at once: whoever floods an engine must not flood the log.
_LINES: Final = (0.1, 10)


class Ears(Protocol):
    """Takes what was heard. All methods are called from any thread, and return at once."""

    def publication(self, publication: Publication, /) -> None:
        """Take an event."""
        ...

    def disconnection(self, asked: Disconnection, /) -> None:
        """Take whom to disconnect."""
        ...

    def presence(self, change: PresenceChange, /) -> None:
        """Take who comes and goes."""
        ...

    def gap(self, channels: Iterable[str] | None, /) -> None:
        """Take the channels where something may have been missed; None stands for all."""
        ...


class Reception:
    """What a backplane tells its hub: the `Receiver`. Safe from any thread.

    Args:
        count: counts a malformed message or a gap.

    Attributes:
        ears: who takes what was heard; None while there is nobody.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self.ears: Ears | None = None
        self._count = count
        self._lock = threading.Lock()
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._continuity = Continuity()
        self._own = b""
        self._malformed = TokenBucket(_LINES, monotonic())
        self._gaps = TokenBucket(_LINES, monotonic())

    def hear_as(self, origin: str) -> None:
        """Pass over what this origin says: the hub itself."""
        self._own = origin_mark(origin)

    def __call__(self, topic: str, message: bytes) -> None:
        """Take a message that was published to a topic."""
        if message.find(self._own, 0, _HEAD) > 0:
            return
        try:
            heard = read_publication(message)
        except ValueError as error:
            self.malformed(f"on {topic!r}: {error}")
            return
        if heard.number is not None and self._continuity.hear(topic, heard.origin, heard.number):
            self._miss([topic], f"on {topic!r}")
        with self._lock:
            if heard.id in self._heard:
                return
            self._heard[heard.id] = None
            if len(self._heard) > _REMEMBERED:
                self._heard.popitem(last=False)
        if self.ears is None:
            return
        match heard:
            case Publication():
                self.ears.publication(heard)
            case Disconnection():
                self.ears.disconnection(heard)
            case _:
                self.ears.presence(heard)

    def malformed(self, what: str) -> None:
        """Count a message that is none."""
        self._count("malformed_publications")
        if not self._malformed.take(monotonic()):
            log.warning("a malformed message is skipped: %.200s", what)

    def gap(self, topics: Iterable[str] | None = None) -> None:
        """Take word that messages of some topics, or of all, may have been missed."""
        if topics is None:
            self._continuity.forget()
            self._miss(None, "on any topic, while the engine was away")
            return
        named = list(topics)
        for topic in named:
            self._continuity.forget(topic)
        self._miss(named, f"on {len(named)} topics")

    def forget(self, topic: str, listening: Container[str] = ()) -> None:
        """Note that nobody listens to a topic any more, or to a filter, while others are listened to."""
        if has_wildcards(topic):
            # An engine may have let in more than the filter, so what came through it is what has no other reason. What
            # another filter lets in as well begins anew.
            self._continuity.forget_others(listening)
        else:
            self._continuity.forget(topic)

    def stop(self) -> None:
        """Note that nobody listens to anything any more."""
        self._continuity.forget()

    def _miss(self, topics: list[str] | None, where: str) -> None:
        self._count("gaps")
        if not self._gaps.take(monotonic()):
            log.warning("events of other processes may have been missed %s", where)
        if self.ears is not None:
            self.ears.gap(topics)
