"""Whether something was missed: each hub numbers what it says on a topic, and the others notice a hole.

Engines that fan out keep nothing: a message that is dropped over a capacity, or while a connection breaks, is gone and
nobody is told. The numbers tell. What both sides remember is bounded; what was forgotten begins anew, without a gap.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Container
from typing import Final

__all__ = ["Continuity", "Numbering"]

_TOPICS: Final = 65_536  # that numbers are remembered of; those that were used longest ago give way
_SPEAKERS: Final = 256  # of one topic


class Numbering:
    """Numbers what this hub says on each topic, from 1. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: OrderedDict[str, int] = OrderedDict()

    def next(self, topic: str) -> int:
        """Return the next number of a topic."""
        with self._lock:
            number = self._last.pop(topic, 0) + 1
            self._last[topic] = number
            if len(self._last) > _TOPICS:
                self._last.popitem(last=False)
            return number


class Continuity:
    """Notices holes in what other hubs say on the topics that this one listens to. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: OrderedDict[str, dict[str, int]] = OrderedDict()

    def hear(self, topic: str, speaker: str, number: int) -> bool:
        """Note what was heard; say whether something before it is missing.

        The first message that is heard of a speaker is preceded by nothing that was meant for this process.
        """
        with self._lock:
            speakers = self._heard.get(topic)
            if speakers is None:
                speakers = self._heard[topic] = {}
                if len(self._heard) > _TOPICS:
                    self._heard.popitem(last=False)
            else:
                self._heard.move_to_end(topic)
            last = speakers.pop(speaker, None)
            # One that comes late or twice is no hole; a speaker that has forgotten begins with 1.
            speakers[speaker] = number if last is None or number > last or number == 1 else last
            if len(speakers) > _SPEAKERS:
                del speakers[next(iter(speakers))]
            return last is not None and number > last + 1

    def forget(self, topic: str | None = None) -> None:
        """Begin anew, with one topic or, by default, with all of them."""
        with self._lock:
            if topic is None:
                self._heard.clear()
            else:
                self._heard.pop(topic, None)

    def forget_others(self, topics: Container[str]) -> None:
        """Begin anew with all topics but these."""
        with self._lock:
            for topic in [each for each in self._heard if each not in topics]:
                del self._heard[topic]
