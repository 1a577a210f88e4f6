"""What topics are called in Redis, and which subscriptions a filter needs.

The channel of a room, a user, a connection or of everyone is the prefix and its topic, ``wsproto:room/lobby``. Before
a topic of the application's own stands ``topic/``: ``wsproto:topic/sport/tennis``. So no pattern hears what is for
rooms and users, which wildcards do not stand for either.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from redis.crc import key_slot

from wsproto_core.filters import FilterTrie
from wsproto_core.topics import RESERVED_LEVELS, has_wildcards

__all__ = ["Channels", "Kind", "Overlaps", "Subscription", "is_reserved"]

_OWN: Final = b"topic/"
_REMEMBERED: Final = 4_096  # topics that are known to match some pattern
_GLOB: Final = {ord(each): f"\\{each}" for each in "*?[]\\^"}


class Kind(Enum):
    """How Redis is asked to listen; the value begins the names of its commands."""

    CHANNEL = b""
    PATTERN = b"P"
    SHARDED = b"S"


class Subscription(NamedTuple):
    """What Redis is asked to listen to."""

    kind: Kind
    name: bytes

    @property
    def slot(self) -> int | None:
        """The slot of the cluster that it belongs to; None where every node will do."""
        return key_slot(self.name) if self.kind is Kind.SHARDED else None


class Channels:
    """Translates between topics and channels.

    Args:
        prefix: of all channels.
        sharded: whether channels belong to a slot of a cluster. Those that patterns may hear never do: sharded messages
            are not for patterns.
    """

    def __init__(self, prefix: str, *, sharded: bool = False) -> None:
        self._prefix = prefix.encode()
        self._sharded = sharded

    def channel_of(self, topic: str) -> tuple[bytes, bool]:
        """Return the channel of a topic, and whether it is sharded."""
        if is_reserved(topic):
            return self._prefix + topic.encode(), self._sharded
        return self._prefix + _OWN + topic.encode(), False

    def topic_of(self, channel: bytes) -> str:
        """Return the topic of a channel.

        Raises:
            ValueError: it is no channel of ours.
        """
        if not channel.startswith(self._prefix):
            raise ValueError("a channel without the prefix")
        return channel[len(self._prefix) :].removeprefix(_OWN).decode()

    def subscriptions_of(self, topic: str) -> list[Subscription]:
        """Return what has to be subscribed to hear a topic, or all that a filter stands for, and perhaps more."""
        if not has_wildcards(topic):
            channel, sharded = self.channel_of(topic)
            return [Subscription(Kind.SHARDED if sharded else Kind.CHANNEL, channel)]
        levels = topic.split("/")
        if levels[-1] != "#":
            return [self._pattern(levels)]
        if len(levels) == 1:
            return [self._pattern(["+"])]
        # What is before /# is meant as well.
        parent, below = levels[:-1], [*levels[:-1], "+"]
        if "+" in parent:
            return [self._pattern(parent), self._pattern(below)]
        return [Subscription(Kind.CHANNEL, self.channel_of("/".join(parent))[0]), self._pattern(below)]

    def _pattern(self, levels: Iterable[str]) -> Subscription:
        # A star stands for / as well, so this hears more than + does.
        glob = "/".join("*" if level == "+" else level.translate(_GLOB) for level in levels)
        prefix = self._prefix.decode().translate(_GLOB).encode()
        return Subscription(Kind.PATTERN, prefix + _OWN + glob.encode())


def is_reserved(topic: str) -> bool:
    """Say whether no filter stands for a topic (protocol section 7)."""
    first = topic.partition("/")[0]
    return first in RESERVED_LEVELS or first.startswith("$")


class Overlaps:
    """Which one of several patterns tells of a topic, when a message arrives once for each that matches.

    The patterns are those that Redis listens to now, in the order of its own confirmations, which come in one stream
    with the messages: so nothing is told twice, and nothing is lost while patterns come and go.

    Args:
        wanted: the filters that each subscription is for.
    """

    def __init__(self, wanted: Mapping[Subscription, Collection[str]]) -> None:
        self._wanted = wanted
        self._active: dict[bytes, None] = {}
        self._tries: dict[bytes, tuple[re.Pattern[bytes], FilterTrie[bool]]] = {}
        self._first: dict[str, bytes | None] = {}

    def begin(self, pattern: bytes) -> None:
        """Note that messages of a pattern come from now on."""
        self._active[pattern] = None
        self._first.clear()

    def end(self, pattern: bytes) -> None:
        """Note that messages of a pattern come no more."""
        self._active.pop(pattern, None)
        self._first.clear()

    def change(self, pattern: bytes) -> None:
        """Note that a pattern is for other filters than before."""
        self._tries.pop(pattern, None)
        self._first.clear()

    def tells(self, pattern: bytes, channel: bytes, topic: str) -> bool:
        """Say whether it is this pattern that tells of a topic; false as well if no filter stands for it."""
        if topic not in self._first:
            if len(self._first) >= _REMEMBERED:
                self._first.clear()
            self._first[topic] = next((each for each in self._active if self._stands_for(each, channel, topic)), None)
        return self._first[topic] == pattern

    def _stands_for(self, pattern: bytes, channel: bytes, topic: str) -> bool:
        known = self._tries.get(pattern)
        if known is None:
            trie: FilterTrie[bool] = FilterTrie()
            for each in self._wanted.get(Subscription(Kind.PATTERN, pattern), ()):
                trie[each] = True
            known = self._tries[pattern] = _expression(pattern), trie
        expression, trie = known
        # The filter may have needed another pattern beside this one.
        return expression.fullmatch(channel) is not None and next(trie.match(topic), False)


def _expression(glob: bytes) -> re.Pattern[bytes]:
    """Return what one of our own globs means: stars, and what is escaped."""
    parts = re.findall(rb"\\(.)|(\*)|(.)", glob, re.DOTALL)
    return re.compile(
        b"".join(b".*" if star else re.escape(escaped or plain) for escaped, star, plain in parts), re.DOTALL
    )
