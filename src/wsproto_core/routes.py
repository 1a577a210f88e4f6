"""Channels between processes: which topic of a backplane leads to an audience, wherever its connections are.

A room, a user or a topic is its own channel. What is for one connection goes through a channel that all connections of
its process share, since their ids say which process made them; an id that the application gave has a channel of its
own.
"""

from __future__ import annotations

from typing import Final

from wsproto_core.ids import process_of
from wsproto_core.recipients import Audience, connection, everyone, room, topic, user
from wsproto_core.topics import escape_level, unescape_level

__all__ = ["EVERYONE_CHANNEL", "audience_of", "channel_of", "connection_channel", "name_of", "presence_channel"]

EVERYONE_CHANNEL: Final = "everyone/*"


def channel_of(audience: Audience) -> str:
    """Return the channel that leads to an audience."""
    if audience.kind == "websocket":
        return connection_channel(audience.id)
    return audience.topic or f"{audience.kind}/{audience.id}"


def connection_channel(connection_id: str) -> str:
    """Return the channel that leads to one connection."""
    process = process_of(connection_id)
    # An id is one level, so no other connection can have this channel.
    return f"connection/{escape_level(connection_id)}" if process is None else f"connection/process/{process}"


def presence_channel(topic: str) -> str:
    """Return the channel that tells who is present on a topic; no topic of an application begins with ``$``."""
    return f"$presence/{topic}"


def name_of(audience: Audience) -> str:
    """Return what `audience_of` reads: ``room/lobby``, ``connection/ID``."""
    return f"connection/{escape_level(audience.id)}" if audience.kind == "websocket" else channel_of(audience)


def audience_of(name: str) -> Audience:
    """Return what a name stands for: ``room/lobby``, ``user/42``, ``connection/ID``, ``everyone/*`` or a topic.

    Raises:
        InvalidTopicError: none of them.
    """
    kind, _, rest = name.partition("/")
    match kind:
        case "room":
            return room(unescape_level(rest))
        case "user":
            return user(unescape_level(rest))
        case "connection":
            return connection(unescape_level(rest))
        case "everyone":
            return everyone()
        case _:
            return topic(name)
