"""What hubs tell each other over a backplane: one format, distrusted like what comes from a client.

The message is JSON: ``{"v": 1, "origin": hub, "id": uuid, "event": name, "to": [[kind, id], …], "exclude": [id, …],
"payload": {…}}``. It is published to the topic of each of its audiences; a hub that hears it twice delivers it once.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from wsproto_core.backplane import Backplane
from wsproto_core.encoding import EncodedEvent, encode_json, json_text
from wsproto_core.envelopes import MessageId
from wsproto_core.errors import InvalidTopicError
from wsproto_core.recipients import Audience
from wsproto_core.topics import escape_level

__all__ = ["Publication", "Publisher", "read_publication"]

log = logging.getLogger("wsproto_core.backplane")

_VERSION = 1
_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Publication:
    """An event that another process emitted."""

    origin: str
    id: str
    event: str
    payload: str
    audiences: tuple[Audience, ...]
    exclude: frozenset[str]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    v: int
    origin: str
    id: MessageId
    event: str
    to: list[tuple[str, str]]
    exclude: list[str] = []
    payload: dict[str, object]


def write_publication(event: EncodedEvent, origin: str, audiences: Iterable[Audience], exclude: Iterable[str]) -> bytes:
    """Return the message that carries an event."""
    to = to_json([[audience.kind, audience.id] for audience in audiences]).decode()
    excluded = to_json(sorted(exclude)).decode()
    return (
        f'{{"v":{_VERSION},"origin":{json_text(origin)},"id":"{event.msg_id}","event":{json_text(event.name)},'
        f'"to":{to},"exclude":{excluded},"payload":{event.payload}}}'
    ).encode()


def read_publication(message: bytes) -> Publication:
    """Read a message.

    Raises:
        ValueError: it is none, or of a version that is not known here.
    """
    try:
        from_json(message, allow_inf_nan=False)
        read = _Message.model_validate_json(message)
        audiences = tuple(Audience(kind, each) for kind, each in read.to)
    except (ValidationError, InvalidTopicError) as error:
        raise ValueError("not a publication") from error
    if read.v != _VERSION:
        raise ValueError(f"version {read.v} is not known")
    payload = encode_json(read.payload, "its payload")
    return Publication(read.origin, read.id, read.event, payload, audiences, frozenset(read.exclude))


class Publisher:
    """A hub's side of its backplane.

    Args:
        backplane: that connects it to the others.
        origin: the hub's own id, so that it does not hear itself.
        wanted: says whether anybody in this process listens to a topic.
        count: counts a malformed message.
    """

    def __init__(
        self, backplane: Backplane, origin: str, wanted: Callable[[str], bool], count: Callable[[str], None]
    ) -> None:
        self._backplane = backplane
        self._origin = origin
        self._wanted = wanted
        self._count = count
        self._deliver: Callable[[Publication], None] | None = None
        self._heard: OrderedDict[str, None] = OrderedDict()

    async def start(self, deliver: Callable[[Publication], None]) -> None:
        """Connect, once.

        Args:
            deliver: takes what another hub published.
        """
        if self._deliver is None:
            self._deliver = deliver
            await self._backplane.start(self._receive)

    async def stop(self) -> None:
        """Disconnect."""
        if self._deliver is not None:
            self._deliver = None
            await self._backplane.stop()

    async def follow(self, topics: Iterable[str]) -> None:
        """Listen to those topics that somebody in this process listens to now, and to the others no more.

        Asked when it runs, not when it was called for: whoever joins while the last one leaves is not forgotten.
        """
        for topic in topics:
            if self._wanted(topic):
                await self._backplane.subscribe(topic)
            else:
                await self._backplane.unsubscribe(topic)

    async def publish(self, event: EncodedEvent, audiences: tuple[Audience, ...], exclude: frozenset[str]) -> None:
        """Tell the other hubs of an event."""
        message = write_publication(event, self._origin, audiences, exclude)
        for topic in dict.fromkeys(channel_of(audience) for audience in audiences):
            await self._backplane.publish(topic, message)

    def _receive(self, topic: str, message: bytes) -> None:
        try:
            publication = read_publication(message)
        except ValueError as error:
            self._count("malformed_publications")
            log.warning("a malformed message on %r is skipped: %s", topic, error)
            return
        if publication.origin == self._origin or publication.id in self._heard:
            return
        self._heard[publication.id] = None
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        if self._deliver is not None:
            self._deliver(publication)


def channel_of(audience: Audience) -> str:
    """Return the topic that an audience is published to."""
    if audience.kind == "websocket":
        return f"connection/{escape_level(audience.id)}"
    return audience.topic or f"{audience.kind}/{audience.id}"
