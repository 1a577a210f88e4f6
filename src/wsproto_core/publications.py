"""What hubs tell each other over a backplane: one format, distrusted like what comes from a client.

A message is a JSON object, and anybody may publish one: another language, a script, a job queue. It goes to the
channel of each of its audiences (see `wsproto_core.routes`); a hub that hears it twice acts once. Version 1::

    {"v": 1, "n": 17, "origin": "…", "id": uuid, "to": [["room", "lobby"], …], "exclude": [connection id, …],
     "event": "chat.said", "payload": {…}, "key": "…"}

- ``v`` is the version. What has another one is skipped and counted.
- ``origin`` names who speaks; a hub passes over what it said itself. ``n`` counts what the origin said on this channel,
  from 1, so that the others notice a hole. Whoever does not count leaves it out, and so may ``origin`` be left out.
- ``id`` is the ``msg_id`` of the event, the same on every channel that it goes to.
- ``to`` are pairs of a kind of audience (``room``, ``user``, ``topic``, ``websocket``, ``everyone``) and which one.
- ``exclude`` and ``key`` (what the ``conflate`` policy keeps the newest of) may be left out.

Instead of ``event``, ``payload`` and ``key`` there may be ``"disconnect": {"code": 1000, "reason": "…"}``, which closes
the connections of the audience, or ``"presence": {"topic": …, "joins": [member, …], "leaves": [member, …]}``, where a
member is ``[process, ref, user id]``: who begins and who ceases to be present on a topic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, NotRequired

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from wsproto_core.closing import check_close_code
from wsproto_core.encoding import EncodedEvent, encode_json, json_text
from wsproto_core.envelopes import UUID_PATTERN
from wsproto_core.errors import InvalidTopicError
from wsproto_core.ids import new_id
from wsproto_core.presence import Present
from wsproto_core.recipients import Audience

__all__ = [
    "Disconnection",
    "PresenceChange",
    "Publication",
    "numbered",
    "origin_mark",
    "read_publication",
    "write_disconnection",
    "write_presence_change",
    "write_publication",
]

_VERSION: Final = 1
_BEGINNING: Final = f'{{"v":{_VERSION},'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What every message has."""

    origin: str
    id: str
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication(_Heard):
    """An event that another process emitted."""

    audiences: tuple[Audience, ...]
    exclude: frozenset[str] = frozenset()
    event: str
    payload: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnection(_Heard):
    """Connections that another process wants closed."""

    audiences: tuple[Audience, ...]
    exclude: frozenset[str] = frozenset()
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceChange(_Heard):
    """Who begins and who ceases to be present on a topic, in another process."""

    topic: str
    joins: tuple[Present, ...]
    leaves: tuple[Present, ...]


_strictly: Final = with_config(ConfigDict(strict=True))


# Typed dicts, not models: half of what reading costs, and every message of the others is read.
@_strictly
class _Disconnect(TypedDict):
    code: int
    reason: NotRequired[str]


@_strictly
class _Presence(TypedDict):
    topic: str
    joins: NotRequired[list[Present]]
    leaves: NotRequired[list[Present]]


@_strictly
class _Message(TypedDict):
    v: int
    n: NotRequired[Annotated[int, Field(ge=1)] | None]
    origin: NotRequired[str]
    id: Annotated[str, StringConstraints(pattern=UUID_PATTERN, to_lower=True)]
    to: NotRequired[list[tuple[str, str]]]
    exclude: NotRequired[list[str]]
    event: NotRequired[Annotated[str, Field(min_length=1)] | None]
    payload: NotRequired[dict[str, object] | None]
    key: NotRequired[str | None]
    disconnect: NotRequired[_Disconnect | None]
    presence: NotRequired[_Presence | None]


_MESSAGE: Final = TypeAdapter(_Message)


def write_publication(
    event: EncodedEvent, origin: str, audiences: Iterable[Audience], exclude: Iterable[str] = ()
) -> bytes:
    """Return the message that carries an event."""
    key = "" if event.key is None else f'"key":{json_text(event.key)},'
    head = _head(origin, event.msg_id, audiences, exclude)
    return f'{head},"event":{json_text(event.name)},{key}"payload":{event.payload}}}'.encode()


def write_disconnection(
    origin: str, audiences: Iterable[Audience], code: int, reason: str, exclude: Iterable[str] = ()
) -> bytes:
    """Return the message that has connections closed."""
    head = _head(origin, new_id(), audiences, exclude)
    return f'{head},"disconnect":{{"code":{code},"reason":{json_text(reason)}}}}}'.encode()


def write_presence_change(origin: str, topic: str, joins: Iterable[Present], leaves: Iterable[Present]) -> bytes:
    """Return the message that tells of who comes and goes."""
    change = to_json({"topic": topic, "joins": list(joins), "leaves": list(leaves)}).decode()
    return f'{_head(origin, new_id(), (), ())},"presence":{change}}}'.encode()


def _head(origin: str, msg_id: str, audiences: Iterable[Audience], exclude: Iterable[str]) -> str:
    to = to_json([[audience.kind, audience.id] for audience in audiences]).decode()
    excluded = sorted(exclude)
    without = f',"exclude":{to_json(excluded).decode()}' if excluded else ""
    return f'{{"v":{_VERSION},"origin":{json_text(origin)},"id":"{msg_id}","to":{to}{without}'


def numbered(message: bytes, number: int) -> bytes:
    """Return a message that one of the functions above wrote, with its number on one channel."""
    return b'%b"n":%d,%b' % (_BEGINNING, number, message[len(_BEGINNING) :])


def origin_mark(origin: str) -> bytes:
    """Return what is near the beginning of each message of an origin, and in no other at that place."""
    return f'"origin":{json_text(origin)},"id":"'.encode()


def read_publication(message: bytes) -> Publication | Disconnection | PresenceChange:
    """Read a message.

    Raises:
        ValueError: it is none, or of a version that is not known here.
    """
    try:
        read = _MESSAGE.validate_json(message)
        audiences = tuple([Audience(kind, each) for kind, each in read.get("to", ())])
    except (ValidationError, InvalidTopicError) as error:
        raise ValueError("not a publication") from error
    if read["v"] != _VERSION:
        raise ValueError(f"version {read['v']} is not known")
    origin, message_id, number = read.get("origin", ""), read["id"], read.get("n")
    event, payload = read.get("event"), read.get("payload")
    disconnect, presence = read.get("disconnect"), read.get("presence")
    if [event, disconnect, presence].count(None) != 2 or (event is None) != (payload is None):
        raise ValueError("neither an event with its payload nor a disconnect nor a presence")
    exclude = frozenset(read.get("exclude", ()))
    if disconnect is not None:
        check_close_code(disconnect["code"])
        return Disconnection(
            origin=origin,
            id=message_id,
            number=number,
            audiences=audiences,
            exclude=exclude,
            code=disconnect["code"],
            reason=disconnect.get("reason", ""),
        )
    if presence is not None:
        return PresenceChange(
            origin=origin,
            id=message_id,
            number=number,
            topic=presence["topic"],
            joins=tuple(presence.get("joins", ())),
            leaves=tuple(presence.get("leaves", ())),
        )
    return Publication(
        origin=origin,
        id=message_id,
        number=number,
        audiences=audiences,
        exclude=exclude,
        event=event or "",
        payload=encode_json(payload or {}, "its payload"),
        key=read.get("key"),
    )
