"""Subjects of NATS for our topics: each level is one token, so that the wildcards of both stand for the same.

The topic ``room/lobby`` is the subject ``wsproto.room.lobby``. Letters, digits and ``-`` stand for themselves, and
``_XX`` for any other byte of UTF-8; a level that is empty is ``_``. What an application calls topics is below
``wsproto.topic``, apart from rooms, users, connections and the server's own, which no wildcard may match. What would be
longer than 900 characters is ``wsproto.long.`` and the SHA-256 of the topic; no topic is, and only very long names of
rooms, users or connections are.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from wsproto_core.errors import ConfigurationError
from wsproto_core.topics import RESERVED_LEVELS

__all__ = ["PREFIX", "Subjects", "subject_of"]

PREFIX: Final = "wsproto"

# The server takes lines of 4,096 bytes, and a delivery has the subject and some numbers in one. 255 bytes of a topic
# are at most 765 characters, so whatever a filter can match is below.
_LONGEST: Final = 900
_OTHERS: Final = re.compile(rb"[^a-zA-Z0-9-]")
_ESCAPE: Final = re.compile(rb"_([0-9A-F]{2})")
_TOKEN: Final = re.compile(rb"(?:[a-zA-Z0-9-]|_[0-9A-F]{2})+|_")
_PREFIX: Final = re.compile(r"[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*")
_LONGEST_PREFIX: Final = 100
_TOPICS: Final = "topic"


class Subjects:
    """Subjects below a prefix, which keeps applications on one server apart.

    Args:
        prefix: one or more tokens of letters, digits, ``-`` and ``_``, with dots between them.

    Raises:
        ConfigurationError: anything else.
    """

    def __init__(self, prefix: str = PREFIX) -> None:
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix) or len(prefix) > _LONGEST_PREFIX:
            raise ConfigurationError(
                "prefix: letters, digits, - and _, in parts with dots between them, "
                f"at most {_LONGEST_PREFIX} characters: 'wsproto' or 'shop.live'."
            )
        self.prefix = prefix
        self._topics = f"{prefix}.{_TOPICS}.".encode()

    def of(self, topic: str) -> str:
        """Return the subject of a topic."""
        levels = topic.split("/")
        below = ".".join(map(_token, levels))
        if len(below) > _LONGEST:
            return f"{self.prefix}.long.{hashlib.sha256(topic.encode()).hexdigest()}"
        return self._place(levels[0]) + below

    def of_filter(self, name: str) -> list[str]:
        """Return the subjects that together stand for just what a filter does: ``#`` includes the parent."""
        levels = name.split("/")
        rest = levels[-1] == "#"
        exact = ["*" if level == "+" else _token(level) for level in (levels[:-1] if rest else levels)]
        place = self._place(levels[0])
        subjects = [place + ".".join(exact)] if exact else []
        return [*subjects, place + ".".join([*exact, ">"])] if rest else subjects

    def topic_of(self, subject: bytes) -> str:
        """Return which topic of the application a subject is that of.

        Raises:
            ValueError: of none.
        """
        if not subject.startswith(self._topics):
            raise ValueError("its subject is that of no topic")
        tokens = subject[len(self._topics) :].split(b".")
        if not all(map(_TOKEN.fullmatch, tokens)):
            raise ValueError("its subject is that of no topic")
        topic = b"/".join(_ESCAPE.sub(_unescaped, token) if token != b"_" else b"" for token in tokens).decode()
        if self.of(topic).encode() != subject:
            raise ValueError("its subject is that of no topic")
        return topic

    def _place(self, first: str) -> str:
        # No topic of an application begins with a reserved level or with $ (protocol section 7).
        own = first in RESERVED_LEVELS or first.startswith("$")
        return f"{self.prefix}." if own else f"{self.prefix}.{_TOPICS}."


def subject_of(topic: str, *, prefix: str = PREFIX) -> str:
    """Return the subject that a topic travels on: ``wsproto.room.lobby`` for ``room/lobby``.

    Args:
        topic: ``room/lobby``, ``user/42``, ``sport/football``, …
        prefix: of the backplane.

    Raises:
        ConfigurationError: a prefix that is none.
    """
    return Subjects(prefix).of(topic)


def _token(level: str) -> str:
    if level.isascii() and level.isalnum():
        return level
    return _OTHERS.sub(_escaped, level.encode()).decode() or "_"


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"_%02X" % found[0][0]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())
