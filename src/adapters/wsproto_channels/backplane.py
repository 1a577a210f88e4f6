"""The channel layer as a backplane: ``CHANNEL_LAYERS`` stays the only setting that a project needs.

A process has one channel, and a group for each topic that somebody in it listens to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, get_channel_layer

from wsproto_channels.groups import group_name, publication_message, read_message
from wsproto_core.backplane import Receiver
from wsproto_core.errors import ConfigurationError
from wsproto_core.topics import has_wildcards

__all__ = ["ChannelLayerBackplane"]

log = logging.getLogger("wsproto_core.backplane")

# Its capacity can be set apart from that of others: CONFIG = {"channel_capacity": {"wsproto*": 10_000}}.
_CHANNEL_PREFIX: Final = "wsproto"
_TIMEOUT: Final = 1.0  # seconds for one step of the layer
_SHORTEST_PAUSE: Final = 0.1  # seconds
_LONGEST_PAUSE: Final = 1.0
_BURST: Final = 32  # messages that are taken before others have their turn
_GROUP_EXPIRY: Final = 86_400  # seconds; what the layers of Channels' own authors have by default


class ChannelLayerBackplane:
    """Connects the hubs of all processes that share a channel layer.

    Args:
        alias: of the layer in ``CHANNEL_LAYERS``.
    """

    def __init__(self, alias: str = DEFAULT_CHANNEL_LAYER) -> None:
        self.alias = alias
        self._life: _Life | None = None
        self._down_until = 0.0
        self._told_of_filters = False

    async def start(self, receiver: Receiver) -> None:
        """Take a channel, and begin to read it."""
        left, self._life = self._life, None
        if left is not None:
            # Its loop has ended, and nobody reads that channel any more.
            await left.forget()
        life = _Life(self._layer(), receiver)
        await life.begin()
        self._life = life

    async def stop(self) -> None:
        """Leave all groups, and stop reading."""
        life, self._life = self._life, None
        if life is not None:
            await life.end()
            await life.forget()

    async def subscribe(self, topic: str) -> None:
        """Join the group of a topic. A filter would be many groups, which no layer can name."""
        if has_wildcards(topic):
            if not self._told_of_filters:
                self._told_of_filters = True
                log.warning(
                    "the filter %r hears events of this process only: a channel layer carries exact topics", topic
                )
        elif self._life is not None:
            await self._life.add(group_name(topic))

    async def unsubscribe(self, topic: str) -> None:
        """Leave the group of a topic."""
        if self._life is not None and not has_wildcards(topic):
            await self._life.discard(group_name(topic))

    async def publish(self, topic: str, message: bytes) -> None:
        """Send to the group of a topic. While the layer fails, it is asked once in a second.

        Raises:
            Exception: what the layer raises.
        """
        if time.monotonic() < self._down_until:
            raise ConnectionError(f"the channel layer {self.alias!r} failed a moment ago")
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._layer().group_send(group_name(topic), publication_message(topic, message))
        except Exception:
            self._down_until = time.monotonic() + _LONGEST_PAUSE
            raise

    def _layer(self) -> BaseChannelLayer:
        layer = get_channel_layer(self.alias)
        if layer is None:
            raise ConfigurationError(f"There is no channel layer {self.alias!r} in CHANNEL_LAYERS.")
        return layer


class _Life:
    """One channel on one event loop, and the groups that it is in."""

    def __init__(self, layer: BaseChannelLayer, receiver: Receiver) -> None:
        self._layer = layer
        self._receiver = receiver
        self._channel = ""
        self._groups: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._unsure = asyncio.Event()
        # Memberships end by themselves after a while.
        self._refresh = float(getattr(layer, "group_expiry", _GROUP_EXPIRY)) / 4

    async def begin(self) -> None:
        # The specification of layers has the prefix, the base class not.
        self._channel = await self._layer.new_channel(_CHANNEL_PREFIX)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read()), loop.create_task(self._keep_groups())]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def forget(self) -> None:
        """Leave all groups, so that the layer does not fill a channel that nobody reads."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                for group in self._groups:
                    await self._layer.group_discard(group, self._channel)
        except Exception as error:
            log.debug("the groups of channel %s could not be left: %r", self._channel, error)

    async def add(self, group: str) -> None:
        self._groups.add(group)
        try:
            await self._layer.group_add(group, self._channel)
        except Exception as error:
            self._failed(error)

    async def discard(self, group: str) -> None:
        self._groups.discard(group)
        try:
            await self._layer.group_discard(group, self._channel)
        except Exception as error:
            # What comes for it finds nobody, and the membership ends by itself.
            log.debug("the group %s could not be left: %r", group, error)

    def _failed(self, error: Exception) -> None:
        if not self._unsure.is_set():
            log.warning("the channel layer fails, and is tried again: %r", error)
        self._unsure.set()

    async def _read(self) -> None:
        pause, taken = _SHORTEST_PAUSE, 0
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _SHORTEST_PAUSE
            self._take(message)
            taken += 1
            if taken % _BURST == 0:
                # A layer that has messages at hand gives them without ever waiting.
                await asyncio.sleep(0)

    def _take(self, message: Any) -> None:
        try:
            topic, publication = read_message(message)
        except ValueError as error:
            log.debug("a message of the channel layer is skipped: %s", error)
            topic, publication = "", b""  # the hub counts what is no publication
        try:
            self._receiver(topic, publication)
        except Exception:
            log.exception("a message of the channel layer could not be delivered")

    async def _keep_groups(self) -> None:
        """Join all groups again after the layer has failed, and from time to time."""
        pause = _SHORTEST_PAUSE
        while True:
            try:
                async with asyncio.timeout(self._refresh):
                    await self._unsure.wait()
            except TimeoutError:
                pass
            try:
                for group in list(self._groups):
                    async with asyncio.timeout(_TIMEOUT):
                        await self._layer.group_add(group, self._channel)
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _SHORTEST_PAUSE
            if self._unsure.is_set():
                self._unsure.clear()
                log.warning("the channel layer works again")
