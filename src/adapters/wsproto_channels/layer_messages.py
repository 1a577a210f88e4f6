"""A channel for one connection, as Channels' own consumers have it; only for consumers that ask for one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Protocol

from channels.layers import BaseChannelLayer

from wsproto_channels.listening import LONGEST_PAUSE, PATIENT, SHORTEST_PAUSE, is_timeout
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
    await _join(consumer, layer, channel)
    reading = asyncio.create_task(_read(consumer, layer, channel))
    try:
        yield channel
    finally:
        await cancel_and_wait(reading)
        try:
            for group in consumer.groups:
                await layer.group_discard(group, channel)
        except Exception as error:
            # The memberships end by themselves.
            log.debug("the groups of channel %s could not be left: %r", channel, error)


async def _join(consumer: SupportsDispatch, layer: BaseChannelLayer, channel: str) -> None:
    for group in consumer.groups:
        await layer.group_add(group, channel)


async def _read(consumer: SupportsDispatch, layer: BaseChannelLayer, channel: str) -> None:
    loop = asyncio.get_running_loop()
    pause, joined = SHORTEST_PAUSE, True
    while True:
        begun = None
        try:
            if not joined:
                await _join(consumer, layer, channel)
                joined = True
            begun = loop.time()
            message = await layer.receive(channel)
        except Exception as error:
            if begun is not None and loop.time() - begun > PATIENT:
                # It has waited, so it works again, or did until now.
                pause = SHORTEST_PAUSE
                if is_timeout(error):
                    continue
            if pause == SHORTEST_PAUSE:
                log.warning("the channel of a connection cannot be read, and is tried again: %r", error)
            joined = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        pause = SHORTEST_PAUSE
        try:
            await consumer.dispatch(message)
        except Exception:
            # One bad message is no reason to lose the connection.
            log.exception("a message on the channel of a connection could not be handled")
