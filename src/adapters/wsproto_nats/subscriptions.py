"""What a process listens to: topics and filters, their numbers at the server, and which copy of a message counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from wsproto_core.filters import FilterTrie
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
        confirmed: the connection on which everything comes that it stands for.
    """

    __slots__ = ("confirmed", "is_filter", "name", "numbers", "order", "told")

    def __init__(self, name: str, numbers: dict[int, str]) -> None:
        self.name = name
        self.is_filter = has_wildcards(name)
        self.numbers = numbers
        self.order = min(numbers)
        self.told: Any = None
        self.confirmed: Any = None

    def begin(self) -> bytes:
        """Return what tells a server to send it."""
        return b"".join(b"SUB %b %d\r\n" % (subject.encode(), number) for number, subject in self.numbers.items())

    def end(self) -> bytes:
        """Return what tells a server to send it no more."""
        return b"".join(b"UNSUB %d\r\n" % number for number in self.numbers)


class Subscriptions:
    """All that a process listens to.

    A message that several subscriptions match is sent once for each. One copy counts: that of the exact topic, or else
    of the oldest filter; but only once the server has confirmed it, since before it may send the others alone.

    Args:
        subjects: that names the subjects.
    """

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._numbers = itertools.count(1)
        self._by_name: dict[str, Subscription] = {}
        self._by_number: dict[int, Subscription] = {}
        self._filters: FilterTrie[Subscription] = FilterTrie()

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
        if subscription.is_filter:
            self._filters[name] = subscription
        return subscription

    def remove(self, name: str) -> Subscription | None:
        """Listen no more; return what did."""
        subscription = self._by_name.pop(name, None)
        if subscription is not None:
            for number in subscription.numbers:
                del self._by_number[number]
            if subscription.is_filter:
                del self._filters[name]
        return subscription

    def topic_of(self, number: int, subject: bytes, link: object) -> str | None:
        """Return the topic of a message that came on a connection, or None when this copy does not count.

        Raises:
            ValueError: it came for a filter, and its subject is that of no topic.
        """
        subscription = self._by_number.get(number)
        if subscription is None:
            return None
        if not self._filters:
            return subscription.name
        topic = self._subjects.topic_of(subject) if subscription.is_filter else subscription.name
        exact = self._by_name.get(topic)
        if exact is not None and exact.confirmed is link:
            return topic if exact is subscription else None
        if not subscription.is_filter:
            # Not confirmed yet: a filter's copy counts, where there is one.
            return None if any(each.confirmed is link for each in self._filters.match(topic)) else topic
        sure = [each.order for each in self._filters.match(topic) if each.confirmed is link]
        return topic if subscription.order == min(sure, default=subscription.order) else None
