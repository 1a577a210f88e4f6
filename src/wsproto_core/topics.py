"""Topic names and filters: the one routing primitive (protocol section 7).

Rooms, users and connections are names for some topics: ``room/lobby``, ``user/42``, ``connection/…``. A filter stands
for many topics, with the wildcards of MQTT 5 section 4.7.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote
from uuid import UUID

from wsproto_core.errors import InvalidTopicError

__all__ = [
    "MAX_TOPIC_BYTES",
    "MAX_TOPIC_LEVELS",
    "RESERVED_LEVELS",
    "check_filter",
    "check_topic",
    "escape_level",
    "has_wildcards",
    "name_text",
    "unescape_level",
]

MAX_TOPIC_LEVELS: Final = 16
MAX_TOPIC_BYTES: Final = 255
RESERVED_LEVELS: Final = frozenset({"user", "room", "connection", "everyone"})

_ESCAPES: Final = {
    **{chr(code): f"%{code:02X}" for code in range(0x20)},
    **{chr(code): "".join(f"%{byte:02X}" for byte in chr(code).encode()) for code in range(0x7F, 0xA0)},
    **{character: f"%{ord(character):02X}" for character in "%/+#"},
}
_ESCAPE_TABLE: Final = str.maketrans(_ESCAPES)
_PLAIN: Final = frozenset(_ESCAPES)


def name_text(name: object, what: str) -> str:
    """Return the one text form of a user id, a room name or a connection id: 42, "42" are the same.

    Raises:
        InvalidTopicError: the name is empty, holds a lone surrogate, or is not an int, a str or a UUID.
    """
    # The text of a member of an Enum would be its name: two names for one room.
    if isinstance(name, str):
        text = str.__str__(name)
    elif isinstance(name, int) and not isinstance(name, bool):
        text = int.__repr__(name)
    elif isinstance(name, UUID):
        text = str(name)
    else:
        raise InvalidTopicError(f"{what} must be a str, an int or a UUID, not {type(name).__name__}.")
    if not text:
        raise InvalidTopicError(f"{what} must not be empty.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidTopicError(f"{what} holds a lone surrogate, which UTF-8 cannot carry.") from None
    return text


def escape_level(text: str) -> str:
    """Percent-encode what would not be one whole topic level: ``%``, ``/``, ``+``, ``#``, controls, a leading ``$``."""
    if not _PLAIN.isdisjoint(text):
        text = text.translate(_ESCAPE_TABLE)
    if text.startswith("$"):
        text = "%24" + text[1:]
    return text


def unescape_level(level: str) -> str:
    """Undo `escape_level`."""
    return unquote(level) if "%" in level else level


def has_wildcards(name: str) -> bool:
    """Say whether a name stands for more than one topic."""
    return "+" in name or "#" in name


def check_topic(name: str) -> str:
    """Return the name of an application's topic if it is one that may be published to.

    Raises:
        InvalidTopicError: empty, over 255 bytes or 16 levels, with a wildcard, a control character, a leading
            ``$``, or below one of the reserved first levels (protocol section 7).
    """
    levels = _levels(name, "topic name")
    if has_wildcards(name):
        raise InvalidTopicError("A topic name has no wildcards (+ or #); those belong into a filter.")
    _check_first_level(levels[0])
    return name


def check_filter(name: str) -> str:
    """Return a filter if it is one: a topic name in which ``+`` may stand for a level, and ``#`` for the last ones.

    Raises:
        InvalidTopicError: what `check_topic` refuses; ``+`` beside other characters in its level, ``#`` beside others
            or not in the last level (MQTT 5 section 4.7.1).
    """
    levels = _levels(name, "topic filter")
    for place, level in enumerate(levels, 1):
        if "#" in level and (level != "#" or place < len(levels)):
            raise InvalidTopicError("In a topic filter # stands alone in the last level, as in 'sport/#'.")
        if "+" in level and level != "+":
            raise InvalidTopicError("In a topic filter + stands for one whole level, as in 'sport/+/score'.")
    _check_first_level(levels[0])
    return name


def _levels(name: str, what: str) -> list[str]:
    if not isinstance(name, str) or not name:
        raise InvalidTopicError(f"A {what} must be a non-empty string.")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidTopicError(f"A {what} must be valid Unicode, without lone surrogates.") from None
    if size > MAX_TOPIC_BYTES:
        raise InvalidTopicError(f"A {what} is at most {MAX_TOPIC_BYTES} bytes of UTF-8; this one has {size}.")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in name):
        raise InvalidTopicError(f"A {what} has no control characters.")
    levels = name.split("/")
    if len(levels) > MAX_TOPIC_LEVELS:
        raise InvalidTopicError(f"A {what} has at most {MAX_TOPIC_LEVELS} levels; this one has {len(levels)}.")
    return levels


def _check_first_level(level: str) -> None:
    if level.startswith("$"):
        raise InvalidTopicError("Topics that begin with $ are kept for the server.")
    if level in RESERVED_LEVELS:
        raise InvalidTopicError(
            f"The first level {level!r} is reserved; use user(…), room(…), connection(…) or everyone()."
        )
