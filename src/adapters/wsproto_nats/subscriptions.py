"""What a process listens to: topics and filters, their numbers at the server, and which copy of a message counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from wsproto_core.copies import Copies
from wsproto_core.topics import has_wildcards
from wsproto_nats.subjects import Subjects

__all__ = ["Subscription", "Subscriptions"]


class Subscription:
    """A topic or a filter that is listened to.

    Attributes:
        name: of it.
        is_filter: whether it is one.
        numbers: each of its subjects has one at the server.
        told: the connection that it was sent on.
    """

    __slots__ = ("is_filter", "name", "numbers", "told")

    def __init__(self, name: str, numbers: dict[int, str]) -> None:
        self.name = name
        self.is_filter = has_wildcards(name)
        self.numbers = numbers
        self.told: Any = None

    def begin(self) -> bytes:
        """Return what tells a server to send it."""
        return b"".join(b"SUB %b %d\r\n" % (subject.encode(), number) for number, subject in self.numbers.items())

    def end(self) -> bytes:
        """Return what tells a server to send it no more."""
        return b"".join(b"UNSUB %d\r\n" % number for number in self.numbers)


class Subscriptions:
    """All that a process listens to.

    A message that several subscriptions match is sent once for each. The first copy counts: while subscriptions come
    and go, nobody knows for which of them the server still sends one.

    Args:
        subjects: that names the subjects.
    """

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._numbers = itertools.count(1)
        self._by_name: dict[str, Subscription] = {}
        self._by_number: dict[int, Subscription] = {}
        self._filters = 0
        self._copies = Copies()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_name.values()))

    def __contains__(self, subscription: Subscription) -> bool:
        return self._by_name.get(subscription.name) is subscription

    def get(self, name: str) -> Subscription | None:
        """Return what listens to a topic or filter, if anything does."""
        return self._by_name.get(name)

    def add(self, name: str) -> Subscription:
        """Begin to listen."""
        subjects = self._subjects.of_filter(name) if has_wildcards(name) else [self._subjects.of(name)]
        subscription = Subscription(name, {next(self._numbers): subject for subject in subjects})
        self._by_name[name] = subscription
        self._by_number.update(dict.fromkeys(subscription.numbers, subscription))
        self._filters += subscription.is_filter
        return subscription

    def remove(self, name: str) -> Subscription | None:
        """Listen no more; return what did."""
        subscription = self._by_name.pop(name, None)
        if subscription is not None:
            for number in subscription.numbers:
                del self._by_number[number]
            self._filters -= subscription.is_filter
        return subscription

    def topic_of(self, number: int, subject: bytes, payload: bytes) -> str | None:
        """Return the topic of a message, or None when this copy does not count.

        Raises:
            ValueError: it came for a filter, and its subject is that of no topic.
        """
        subscription = self._by_number.get(number)
        if subscription is None:
            return None
        topic = self._subjects.topic_of(subject) if subscription.is_filter else subscription.name
        # Without filters there are no copies.
        return topic if not self._filters or self._copies.is_first(topic, payload, subscription.name) else None
