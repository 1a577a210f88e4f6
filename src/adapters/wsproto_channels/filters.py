"""Filters over channel layers, which know groups by their exact names alone.

Events for topics of the application go to a group of all of them as well, as long as some process listens to a filter.
It says so on a group that every process is in, and again from time to time; a process that comes later asks. Whoever
cannot know, since it does not listen to the layer, sends to both. What comes by that group is matched here.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from wsproto_channels.groups import group_of
from wsproto_core.topics import RESERVED_LEVELS

__all__ = ["ALL_TOPICS", "ANNOUNCEMENTS", "DEMAND", "RENEWAL", "Demand", "may_be_filtered", "read_demand"]

DEMAND: Final = "wsproto.filters"
"""The type of messages about who listens to filters."""

# No topic of an application begins with $.
ALL_TOPICS: Final = group_of("$topics")
ANNOUNCEMENTS: Final = group_of("$filters")

RENEWAL: Final = 20.0  # seconds after which a process that listens to filters says so again
_VALID: Final = 3 * RENEWAL
_UNSURE: Final = 2.0  # seconds after the start until the answers of the others are there


class Demand:
    """Which other processes listen to filters."""

    def __init__(self) -> None:
        self._sure_from = monotonic() + _UNSURE
        self._until: dict[str, float] = {}

    def is_there(self) -> bool:
        """Whether anybody may listen to filters."""
        now = monotonic()
        for who in [who for who, until in self._until.items() if until < now]:
            del self._until[who]
        return bool(self._until) or now < self._sure_from

    def note(self, who: str, wanted: bool) -> None:
        """Take word of a process."""
        if wanted:
            self._until[who] = monotonic() + _VALID
        else:
            self._until.pop(who, None)

    def doubt(self) -> None:
        """Begin anew, after words may have been missed."""
        self._sure_from = monotonic() + _UNSURE


def may_be_filtered(topic: str) -> bool:
    """Whether a filter can match a topic: one of the application (protocol section 7)."""
    return not topic.startswith("$") and topic.partition("/")[0] not in RESERVED_LEVELS


def read_demand(message: dict[str, Any]) -> tuple[str, bool | None, str | None]:
    """Return the channel of who speaks, whether it listens to filters, and what channel asks for an answer.

    Raises:
        ValueError: it is no such message.
    """
    match message:
        case {"from": str() as who, "wanted": bool() | None as wanted, "answer": str() | None as answer}:
            return who, wanted, answer
        case _:
            raise ValueError("no word about filters")
