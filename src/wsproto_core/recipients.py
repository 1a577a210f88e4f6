"""Whom an event is for: connections, users, rooms, topics, everyone, and the application's own kinds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from wsproto_core.topics import check_filter, check_topic, escape_level, has_wildcards, name_text, unescape_level

__all__ = [
    "BUILTIN_KINDS",
    "Audience",
    "RecipientResolver",
    "SupportsAudience",
    "TopicFilter",
    "connection",
    "everyone",
    "parse_subscription",
    "room",
    "topic",
    "topic_or_filter",
    "user",
]

BUILTIN_KINDS: Final = frozenset({"websocket", "user", "room", "topic", "everyone"})

RecipientResolver = Callable[[str], Iterable[str] | Awaitable[Iterable[str]]]
"""Turns a recipient id into the ids of the connections that it stands for, at this moment, in this process."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A logical audience: what an event envelope names as ``recipient`` and ``recipient_id`` (protocol section 3).

    Attributes:
        kind: ``websocket``, ``user``, ``room``, ``topic``, ``everyone``, or a kind registered with `recipient`.
        id: which one of that kind.

    Raises:
        InvalidTopicError: a kind or an id that is empty or no text, or a ``topic`` that is none.
    """

    kind: str
    id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", name_text(self.kind, "The kind of an audience"))
        what = f"The id of a {self.kind!r} audience"
        object.__setattr__(self, "id", check_topic(self.id) if self.kind == "topic" else name_text(self.id, what))

    @property
    def topic(self) -> str | None:
        """The topic that this audience is another name for, or None when it has to be resolved."""
        if self.kind == "room":
            return f"room/{escape_level(self.id)}"
        if self.kind == "user":
            return f"user/{escape_level(self.id)}"
        if self.kind == "topic":
            return self.id
        return None

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of its topic, as ``("room", "lobby")``, to decide by; empty where it is no topic."""
        return tuple(self.topic.split("/")) if self.topic is not None else ()


class TopicFilter(Audience):
    """Many topics at once, to subscribe to: ``sport/+/score``, ``sport/#``. No event goes to a filter.

    Raises:
        InvalidTopicError: no filter (protocol section 7, MQTT 5 section 4.7).
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__("topic", name)

    def __post_init__(self) -> None:
        check_filter(self.id)


class SupportsAudience(Protocol):
    """Anything that can say which audience it is."""

    def as_audience(self) -> Audience:
        """Return the audience that it is."""
        ...


def connection(connection_id: str) -> Audience:
    """Address one connection by its id.

    Raises:
        InvalidTopicError: the id is empty or no text.
    """
    return Audience("websocket", connection_id)


def user(user_id: int | str | UUID) -> Audience:
    """Address every connection of a user. 42, "42" and a UUID's text are one user (protocol section 7).

    Raises:
        InvalidTopicError: the id is empty or not an int, a str or a UUID.
    """
    return Audience("user", name_text(user_id, "A user id"))


def room(name: int | str | UUID) -> Audience:
    """Address everyone who joined a room. Any non-empty text is a room name.

    Raises:
        InvalidTopicError: the name is empty or not a str, an int or a UUID.
    """
    return Audience("room", name_text(name, "A room name"))


def topic(name: str) -> Audience:
    """Address everyone who subscribed to a topic.

    Raises:
        InvalidTopicError: the name is no valid topic name, or below a reserved first level (protocol section 7).
    """
    return Audience("topic", name)


def topic_or_filter(name: str) -> Audience:
    """Return what the name of a topic, or of many with wildcards, stands for.

    Raises:
        InvalidTopicError: neither of them.
    """
    return TopicFilter(name) if has_wildcards(name) else topic(name)


def everyone() -> Audience:
    """Address all connections. Only where the application set ``allow_broadcast=True``."""
    return Audience("everyone", "*")


def parse_subscription(name: str) -> Audience:
    """Return what a topic name or a filter stands for; ``room/lobby`` is a room.

    Raises:
        InvalidTopicError: neither of them, or below another reserved first level (protocol section 7).
    """
    first, _, rest = name.partition("/")
    if first == "room" and rest and escape_level(unescape_level(rest)) == rest:
        return room(unescape_level(rest))
    return topic_or_filter(name)
