"""Groups of the channel layer: their names, and the messages that reach clients through them.

Any Django code can send to clients with nothing but Channels::

    message = {"type": "wsproto.event", "to": "room/lobby", "event": "chat.said", "payload": {"text": "hi"}}
    async_to_sync(get_channel_layer().group_send)(group_name("room/lobby"), message)

``to`` is a topic or a list of topics: ``room/NAME``, ``user/ID``, ``connection/ID``, ``everyone/*``, or one of the
application's own. ``id`` (a UUID: the same message to several groups is delivered once) and ``exclude`` (ids of
connections) may be there. This closes connections, with a code that may be sent (RFC 6455 section 7.4)::

    {"type": "wsproto.disconnect", "to": "user/42", "code": 3000, "reason": "Log in again."}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import from_json

from wsproto_core.closing import CloseCode
from wsproto_core.encoding import EncodedEvent, encode_event, encode_json
from wsproto_core.events import Event, as_audiences, target_of
from wsproto_core.ids import canonical_uuid, new_id
from wsproto_core.outside import Audiences, disconnection_of
from wsproto_core.publications import write_publication
from wsproto_core.recipients import Audience, SupportsAudience
from wsproto_core.routes import audience_of, channel_of, name_of

__all__ = [
    "DISCONNECT",
    "EVENT",
    "PUBLICATION",
    "disconnect_message",
    "event_message",
    "group_name",
    "group_of",
    "publication_message",
    "read_message",
]

DISCONNECT: Final = "wsproto.disconnect"
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
    return group_of(channel_of(audience_of(audience) if isinstance(audience, str) else as_audiences(audience)[0]))


def group_of(channel: str) -> str:
    """Return the group of a channel between processes; see `wsproto_core.routes`."""
    raw = channel.encode()
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
        "to": [name_of(audience) for audience in audiences],
        "event": encoded.name,
        "payload": from_json(encoded.payload),
    }
    return {**message, "exclude": sorted(target.exclude)} if target.exclude else message


def disconnect_message(audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> dict[str, Any]:
    """Return the message that closes every connection of a group.

    Args:
        audience: ``user(42)``, ``room("lobby")``, ``connection(id)``.
        code: 1000, a code of `CloseCode` that may be sent, or 3000 to 4999.
        reason: at most 123 bytes of UTF-8.

    Raises:
        ValueError: a code that may not be sent (RFC 6455 section 7.4).
        TypeError: a kind of recipient that only an application can resolve.
    """
    disconnection_of(audience, code, reason)  # checks all of it
    names = [name_of(each) for each in as_audiences(audience)]
    return {"type": DISCONNECT, "to": names, "code": int(code), "reason": reason}


def publication_message(topic_name: str, publication: bytes, *, to_all: bool = False) -> dict[str, Any]:
    """Return the message that one hub sends to the others.

    Args:
        topic_name: of the topic, or of another channel between processes.
        publication: what is said; text, but for what no hub says.
        to_all: whether it goes to those who listen to filters.
    """
    try:
        # Layers that carry JSON know no bytes.
        said: str | bytes = publication.decode()
    except UnicodeDecodeError:
        said = publication
    message = {"type": PUBLICATION, "topic": topic_name, "publication": said}
    return {**message, "all": True} if to_all else message


def read_message(message: object) -> tuple[str, bytes]:
    """Return the topic and the publication that a message of the channel layer carries.

    Raises:
        ValueError: it carries none.
    """
    match message:
        case {"type": str() as kind, "topic": str() as name, "publication": str() | bytes() as said} if (
            kind == PUBLICATION
        ):
            return name, said.encode() if isinstance(said, str) else said
        case {"type": str() as kind, "to": to, "event": str() as event, **rest} if kind == EVENT and event:
            return _read_event(to, event, rest)
        case {"type": str() as kind, "to": to, **rest} if kind == DISCONNECT:
            return _read_disconnect(to, rest)
        case _:
            raise ValueError("no message for clients")


def _read_event(to: object, name: str, rest: Mapping[object, object]) -> tuple[str, bytes]:
    topics = _topics(to)
    exclude = _texts(rest.get("exclude", []))
    payload = rest.get("payload", {})
    if not isinstance(payload, Mapping):
        raise ValueError("'payload' is no dict")
    event = EncodedEvent(_id(rest), name, encode_json(payload, "its payload"))
    # No hub is its origin, so that every hub delivers it.
    return topics[0], write_publication(event, "", [audience_of(each) for each in topics], exclude)


def _read_disconnect(to: object, rest: Mapping[object, object]) -> tuple[str, bytes]:
    code, reason = rest.get("code", CloseCode.NORMAL), rest.get("reason", "")
    if not isinstance(code, int) or not isinstance(reason, str):
        raise ValueError("'code' or 'reason' is not what it should be")
    channels, publication = disconnection_of([audience_of(each) for each in _topics(to)], code, reason)
    return channels[0], publication


def _topics(to: object) -> list[str]:
    topics = _texts([to] if isinstance(to, str) else to)
    if not topics:
        raise ValueError("'to' names nobody")
    return topics


def _id(rest: Mapping[object, object]) -> str:
    msg_id = canonical_uuid(rest["id"]) if "id" in rest else new_id()
    if msg_id is None:
        raise ValueError("'id' is no UUID")
    return msg_id


def _texts(value: object) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError("'to' or 'exclude' is no list of strings")
    return list(value)
