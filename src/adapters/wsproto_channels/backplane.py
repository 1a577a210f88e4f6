"""The channel layer as a backplane: ``CHANNEL_LAYERS`` stays the only setting that a project needs.

A process has one channel, and a group for each topic that somebody in it listens to. For filters see
`wsproto_channels.filters`.
"""

from __future__ import annotations

import time
from typing import Any, Final

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, get_channel_layer

from wsproto_channels.filters import ALL_TOPICS, Demand, may_be_filtered
from wsproto_channels.groups import group_of, publication_message
from wsproto_channels.listening import Listening
from wsproto_channels.writing import Writer
from wsproto_core.backplane import Receiver
from wsproto_core.errors import ConfigurationError
from wsproto_core.tasks import running_loop

__all__ = ["ChannelLayerBackplane"]

_PAUSE: Final = 1.0  # seconds until a layer that failed is asked again


class ChannelLayerBackplane:
    """Connects the hubs of all processes that share a channel layer.

    Args:
        alias: of the layer in ``CHANNEL_LAYERS``.
    """

    def __init__(self, alias: str = DEFAULT_CHANNEL_LAYER) -> None:
        self.alias = alias
        self._listening: Listening | None = None
        self._demand = Demand()
        self._writer = Writer(self._send)
        self._down_until = 0.0

    async def start(self, receiver: Receiver) -> None:
        """Take a channel, and begin to read it; a layer that is away is found later.

        Raises:
            ConfigurationError: there is no such layer.
        """
        layer = self._layer()
        left, self._listening = self._listening, None
        if left is not None:
            # Its loop has ended, and nobody reads that channel any more.
            await left.forget()
        self._demand = Demand()
        self._listening = Listening(layer, receiver, self._demand)
        await self._listening.begin()

    async def stop(self) -> None:
        """Leave all groups, and stop reading."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await self._writer.finish()
            await listening.end()

    async def subscribe(self, topic: str) -> None:
        """Join the group of a topic; of a filter, that of all topics."""
        if self._listening is not None:
            await self._listening.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Leave the group of a topic, or forget a filter."""
        if self._listening is not None:
            await self._listening.discard(topic)

    async def publish(self, topic: str, message: bytes) -> None:
        """Send to the group of a topic, after what was published before.

        While the layer fails, it is asked once a second.

        Raises:
            ConnectionError: it failed a moment ago, or does not take messages as fast as they are published.
            Exception: what the layer raises.
        """
        if time.monotonic() < self._down_until:
            raise ConnectionError(f"the channel layer {self.alias!r} failed a moment ago")
        outgoing = [(group_of(topic), publication_message(topic, message))]
        if may_be_filtered(topic) and self._is_demanded():
            outgoing.append((ALL_TOPICS, publication_message(topic, message, to_all=True)))
        await self._writer.write(outgoing, len(message) * len(outgoing))

    def _is_demanded(self) -> bool:
        """Whether somebody may listen to filters; who does not listen to the layer never hears of it."""
        listening = self._listening
        return listening is None or listening.loop is not running_loop() or self._demand.is_there()

    async def _send(self, group: str, message: dict[str, Any]) -> None:
        try:
            await self._layer().group_send(group, message)
        except Exception as error:
            self._down_until = time.monotonic() + _PAUSE
            listening = self._listening
            if listening is not None and listening.loop is running_loop():
                listening.failed(error)
            raise

    def _layer(self) -> BaseChannelLayer:
        layer = get_channel_layer(self.alias)
        if layer is None:
            raise ConfigurationError(f"There is no channel layer {self.alias!r} in CHANNEL_LAYERS.")
        return layer
