"""What hubs tell each other over a backplane: one format, distrusted like what comes from a client.

The message is JSON: ``{"v": 1, "origin": hub, "id": uuid, "event": name, "to": [[kind, id], …], "exclude": [id, …],
"payload": {…}}``. It is published to the topic of each of its audiences; a hub that hears it twice delivers it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from wsproto_core.backplane import Backplane
from wsproto_core.encoding import EncodedEvent, json_text
from wsproto_core.envelopes import MessageId
from wsproto_core.errors import InvalidTopicError
from wsproto_core.recipients import Audience

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
    payload = to_json(read.payload).decode()
    return Publication(read.origin, read.id, read.event, payload, audiences, frozenset(read.exclude))


class Publisher:
    """A hub's side of its backplane.

    Args:
        backplane: that connects it to the others.
        origin: the hub's own id, so that it does not hear itself.
        deliver: takes what another hub published.
        count: counts a malformed message.
    """

    def __init__(
        self,
        backplane: Backplane,
        origin: str,
        deliver: Callable[[Publication], None],
        count: Callable[[str], None],
    ) -> None:
        self._backplane = backplane
        self._origin = origin
        self._deliver = deliver
        self._count = count
        self._started = False
        self._heard: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> None:
        """Connect, once."""
        if not self._started:
            self._started = True
            await self._backplane.start(self._receive)

    async def stop(self) -> None:
        """Disconnect."""
        if self._started:
            self._started = False
            await self._backplane.stop()

    async def subscribe(self, topic: str) -> None:
        """Begin to listen to a topic."""
        await self.start()
        await self._backplane.subscribe(topic)

    async def subscribe_all(self, topics: Iterable[str]) -> None:
        """Begin to listen to topics."""
        await asyncio.gather(*(self.subscribe(topic) for topic in topics))

    async def unsubscribe(self, topic: str) -> None:
        """Stop listening to a topic."""
        await self._backplane.unsubscribe(topic)

    async def unsubscribe_all(self, topics: Iterable[str]) -> None:
        """Stop listening to topics."""
        await asyncio.gather(*(self.unsubscribe(topic) for topic in topics))

    async def publish(self, event: EncodedEvent, audiences: tuple[Audience, ...], exclude: frozenset[str]) -> None:
        """Tell the other hubs of an event."""
        await self.start()
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
        self._deliver(publication)


def channel_of(audience: Audience) -> str:
    """Return the topic that an audience is published to."""
    return audience.topic or f"{audience.kind}/{audience.id}"
