"""A channel for one connection, as Channels' own consumers have it; only for consumers that ask for one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Protocol

from channels.layers import BaseChannelLayer

from wsproto_core.tasks import cancel_and_wait

__all__ = ["SupportsDispatch", "layer_messages"]

log = logging.getLogger("wsproto_core.channels")


class SupportsDispatch(Protocol):
    """A consumer of Channels."""

    groups: ClassVar[Iterable[str]]

    async def dispatch(self, message: Any) -> None:
        """Call the method that a message names."""
        ...


@asynccontextmanager
async def layer_messages(consumer: SupportsDispatch, layer: BaseChannelLayer) -> AsyncGenerator[str]:
    """Read a channel for a consumer, which is in its groups meanwhile; yield the name of the channel."""
    channel = await layer.new_channel()
    for group in consumer.groups:
        await layer.group_add(group, channel)
    reading = asyncio.create_task(_read(consumer, layer, channel))
    try:
        yield channel
    finally:
        await cancel_and_wait(reading)
        for group in consumer.groups:
            await layer.group_discard(group, channel)


async def _read(consumer: SupportsDispatch, layer: BaseChannelLayer, channel: str) -> None:
    while True:
        message = await layer.receive(channel)
        try:
            await consumer.dispatch(message)
        except Exception:
            # One bad message is no reason to lose the connection.
            log.exception("a message on the channel of a connection could not be handled")
