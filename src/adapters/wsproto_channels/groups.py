"""Groups of the channel layer: their names, and the messages that reach clients through them.

Any Django code can send to clients with nothing but Channels::

    message = {"type": "wsproto.event", "to": "room/lobby", "event": "chat.said", "payload": {"text": "hi"}}
    async_to_sync(get_channel_layer().group_send)(group_name("room/lobby"), message)

``to`` is a topic or a list of topics: ``room/NAME``, ``user/ID``, ``connection/ID``, ``everyone/*``, or one of the
application's own. ``id`` (a UUID: the same message to several groups is delivered once) and ``exclude`` (ids of
connections) may be there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import from_json

from wsproto_core.encoding import EncodedEvent, encode_event, encode_json
from wsproto_core.events import Event, as_audiences, target_of
from wsproto_core.ids import canonical_uuid, new_id
from wsproto_core.publications import channel_of, write_publication
from wsproto_core.recipients import Audience, SupportsAudience, connection, everyone, room, topic, user
from wsproto_core.topics import unescape_level

__all__ = ["EVENT", "PUBLICATION", "event_message", "group_name", "publication_message", "read_message"]

EVENT: Final = "wsproto.event"
PUBLICATION: Final = "wsproto.publication"

_PREFIX: Final = "wsproto."
_LONGEST: Final = 99  # Channels takes fewer than 100 characters
_OTHERS: Final = re.compile(rb"[^a-zA-Z0-9./-]|\.")


def group_name(audience: str | Audience | SupportsAudience) -> str:
    """Return the group that reaches an audience: ASCII letters, digits, ``-``, ``_`` and ``.``, below 100 characters.

    Letters, digits and ``-`` stand for themselves, ``.`` for a slash, and ``_XX`` for any other byte of UTF-8, so no
    two topics share a name. One that would be too long is ``wsproto_`` and the SHA-256 of the topic.

    Args:
        audience: ``room("lobby")``, ``user(42)``, …; or the name of a topic: ``"room/lobby"``, ``"user/42"``.
    """
    name = audience if isinstance(audience, str) else channel_of(as_audiences(audience)[0])
    raw = name.encode()
    escaped = _OTHERS.sub(lambda match: b"_%02X" % match[0][0], raw).replace(b"/", b".").decode()
    if len(_PREFIX) + len(escaped) <= _LONGEST:
        return _PREFIX + escaped
    return f"wsproto_{hashlib.sha256(raw).hexdigest()}"


def event_message(
    event: Event, to: Audience | SupportsAudience | Iterable[Audience | SupportsAudience] | None = None
) -> dict[str, Any]:
    """Return the message that carries an event to the clients of a group.

    Args:
        event: what to send.
        to: the audience or audiences, if the event does not say it itself.

    Raises:
        ValueError: it goes to nobody.
        UnserializableEventError: its payload holds what JSON cannot carry.
    """
    target = target_of(event)
    audiences = as_audiences(to) or target.audiences
    if not audiences:
        raise ValueError(f"The event {event.event_name!r} goes to nobody: say to=room(…), user(…) or topic(…).")
    encoded = encode_event(event, new_id())
    message = {
        "type": EVENT,
        "id": encoded.msg_id,
        "to": [channel_of(audience) for audience in audiences],
        "event": encoded.name,
        "payload": from_json(encoded.payload),
    }
    return {**message, "exclude": sorted(target.exclude)} if target.exclude else message


def publication_message(topic_name: str, publication: bytes) -> dict[str, Any]:
    """Return the message that one hub sends to the others."""
    return {"type": PUBLICATION, "topic": topic_name, "publication": publication.decode()}


def read_message(message: object) -> tuple[str, bytes]:
    """Return the topic and the publication that a message of the channel layer carries.

    Raises:
        ValueError: it carries none.
    """
    match message:
        case {"type": str() as kind, "topic": str() as name, "publication": str() as text} if kind == PUBLICATION:
            return name, text.encode()
        case {"type": str() as kind, "to": to, "event": str() as event, **rest} if kind == EVENT and event:
            return _read_event(to, event, rest)
        case _:
            raise ValueError("no message for clients")


def _read_event(to: object, name: str, rest: Mapping[object, object]) -> tuple[str, bytes]:
    topics = _texts([to] if isinstance(to, str) else to)
    exclude = _texts(rest.get("exclude", []))
    payload = rest.get("payload", {})
    msg_id = canonical_uuid(rest["id"]) if "id" in rest else new_id()
    if not topics or not isinstance(payload, Mapping) or msg_id is None:
        raise ValueError("'to', 'payload' or 'id' is not what it should be")
    event = EncodedEvent(msg_id, name, encode_json(payload, "its payload"))
    # No hub is its origin, so that every hub delivers it.
    return topics[0], write_publication(event, "", [_audience_of(each) for each in topics], exclude)


def _texts(value: object) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError("'to' or 'exclude' is no list of strings")
    return list(value)


def _audience_of(name: str) -> Audience:
    """Undo `channel_of`."""
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
