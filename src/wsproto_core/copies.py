"""Which copy of a message counts, where an engine sends one for each subscription that it matches.

Subscriptions come and go while messages are under way, so nobody can know which copies will still come: the first one
counts. What is remembered is bounded; a copy that comes after its message was forgotten counts again, and a hub acts
on it once all the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

__all__ = ["Copies"]

_REMEMBERED: Final = 4_096  # messages


class Copies:
    """The messages that came lately, and on which ways. Messages are told apart by what they say."""

    def __init__(self) -> None:
        self._ways: OrderedDict[int, tuple[Hashable, ...]] = OrderedDict()

    def is_first(self, topic: str, message: bytes, way: Hashable) -> bool:
        """Say whether a message comes for the first time.

        Args:
            topic: of it.
            message: what it says.
            way: the subscription that it came by. What comes a second time by the same one was said again.
        """
        key = hash((topic, message))
        ways = self._ways.pop(key, ())
        is_first = not ways or way in ways
        self._ways[key] = (way,) if is_first else (*ways, way)
        if len(self._ways) > _REMEMBERED:
            self._ways.popitem(last=False)
        return is_first
