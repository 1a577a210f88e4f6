"""What hubs tell each other over a backplane: one format, distrusted like what comes from a client.

The message is JSON: ``{"v": 1, "origin": hub, "id": uuid, "event": name, "to": [[kind, id], …], "exclude": [id, …],
"key": text?, "payload": {…}}``. It is published to the topic of each of its audiences; a hub that hears it twice
delivers it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from wsproto_core.encoding import EncodedEvent, encode_json, json_text
from wsproto_core.envelopes import MessageId
from wsproto_core.errors import InvalidTopicError
from wsproto_core.recipients import Audience
from wsproto_core.topics import escape_level

__all__ = ["Publication", "channel_of", "read_publication", "write_publication"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Publication:
    """An event that another process emitted."""

    origin: str
    id: str
    event: str
    payload: str
    audiences: tuple[Audience, ...]
    exclude: frozenset[str]
    key: str | None = None


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    v: int
    origin: str
    id: MessageId
    event: str = Field(min_length=1)
    to: list[tuple[str, str]]
    exclude: list[str] = []
    key: str | None = None
    payload: dict[str, object]


def write_publication(event: EncodedEvent, origin: str, audiences: Iterable[Audience], exclude: Iterable[str]) -> bytes:
    """Return the message that carries an event."""
    to = to_json([[audience.kind, audience.id] for audience in audiences]).decode()
    excluded = to_json(sorted(exclude)).decode()
    key = "" if event.key is None else f'"key":{json_text(event.key)},'
    return (
        f'{{"v":{_VERSION},"origin":{json_text(origin)},"id":"{event.msg_id}","event":{json_text(event.name)},'
        f'"to":{to},"exclude":{excluded},{key}"payload":{event.payload}}}'
    ).encode()


def read_publication(message: bytes) -> Publication:
    """Read a message.

    Raises:
        ValueError: it is none, or of a version that is not known here.
    """
    try:
        read = _Message.model_validate_json(message)
        audiences = tuple(Audience(kind, each) for kind, each in read.to)
    except (ValidationError, InvalidTopicError) as error:
        raise ValueError("not a publication") from error
    if read.v != _VERSION:
        raise ValueError(f"version {read.v} is not known")
    payload = encode_json(read.payload, "its payload")
    return Publication(read.origin, read.id, read.event, payload, audiences, frozenset(read.exclude), read.key)


def channel_of(audience: Audience) -> str:
    """Return the topic that an audience is published to."""
    if audience.kind == "websocket":
        return f"connection/{escape_level(audience.id)}"
    return audience.topic or f"{audience.kind}/{audience.id}"
