"""A process's channel on a layer: read, kept in its groups, and found again when the layer has failed."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from channels.layers import BaseChannelLayer

from wsproto_channels.filters import (
    ALL_TOPICS,
    ANNOUNCEMENTS,
    DEMAND,
    RENEWAL,
    Demand,
    may_be_filtered,
    read_demand,
)
from wsproto_channels.groups import group_of, read_message
from wsproto_channels.writing import TIMEOUT
from wsproto_core.backplane import Receiver
from wsproto_core.copies import Copies
from wsproto_core.filters import FilterTrie
from wsproto_core.tasks import cancel_and_wait
from wsproto_core.topics import has_wildcards

__all__ = ["LONGEST_PAUSE", "PATIENT", "SHORTEST_PAUSE", "Listening", "is_timeout"]

log = logging.getLogger("wsproto_core.backplane")

# Its capacity can be set apart from that of others: CONFIG = {"channel_capacity": {"wsproto*": 10_000}}.
_CHANNEL_PREFIX: Final = "wsproto"
_ECHO: Final = "wsproto.echo"
SHORTEST_PAUSE: Final = 0.1  # seconds
LONGEST_PAUSE: Final = 1.0
_LAST: Final = 2.0  # seconds to leave all groups
_BURST: Final = 32  # messages that are taken before others have their turn
_GROUP_EXPIRY: Final = 86_400  # seconds; what the layers of Channels' own authors have by default
_STEPS: Final = 16  # of the layer, that are under way at once
PATIENT: Final = 1.0  # seconds after which a time-out of a layer says that there was nothing to receive
_QUIET: Final = 0.1  # seconds without an answer after which no other process is expected to give one
_ANSWERS: Final = 0.5  # seconds for all of them


class Listening:
    """One channel on one event loop, and the groups that it is in. Made and used on that loop.

    Args:
        layer: that it is on.
        receiver: takes what comes.
        demand: takes which other processes listen to filters.
    """

    def __init__(self, layer: BaseChannelLayer, receiver: Receiver, demand: Demand) -> None:
        self.loop = asyncio.get_running_loop()
        self._layer = layer
        self._receiver = receiver
        self._demand = demand
        self._ended = False
        self._channel = ""
        self._has_channel = asyncio.Event()
        self._groups = {ANNOUNCEMENTS}
        self._joined: set[str] = set()  # those of them that were, since all were to be joined
        # Some layers take a connection for each step that is under way.
        self._steps = asyncio.Semaphore(_STEPS)
        self._filters: FilterTrie[None] = FilterTrie()
        self._copies = Copies()
        self._settling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._unsure = asyncio.Event()
        self._answered = asyncio.Event()
        self._announcing: asyncio.Task[None] | None = None
        # What is sent to it comes back to this process alone, so that the layer is known to work.
        self._echo_group = group_of(f"$echo/{uuid4().hex}")
        self._echoed = asyncio.Event()
        # Memberships end by themselves after a while.
        self._refresh = float(getattr(layer, "group_expiry", _GROUP_EXPIRY)) / 4

    async def begin(self) -> None:
        """Take a channel, or have it tried."""
        try:
            await self._join()
            await self._ask_for_demand()
        except Exception as error:
            self.failed(error)
        self._tasks = [self.loop.create_task(self._read()), self.loop.create_task(self._keep_groups())]

    async def end(self) -> None:
        """Leave all groups, and stop reading."""
        self._ended = True
        for task in self._tasks:
            task.cancel()
        self._filters = FilterTrie()
        await self._settle_filters()
        await self.forget()
        # A layer that waits with a time-out may take a cancellation for it, and go on.
        pending, last = set(self._tasks), self.loop.time() + _LAST
        while pending and self.loop.time() < last:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=SHORTEST_PAUSE)

    async def forget(self) -> None:
        """Leave all groups, so that the layer does not fill a channel that nobody reads."""
        groups = [*self._groups, self._echo_group]
        self._filters, self._groups = FilterTrie(), set()
        try:
            async with asyncio.timeout(_LAST):
                for some in _chunks(groups):
                    await asyncio.gather(*(self._layer.group_discard(group, self._channel) for group in some))
        except Exception as error:
            log.debug("the groups of channel %s could not be left: %r", self._channel, error)

    async def add(self, topic: str) -> None:
        """Join what brings a topic or a filter."""
        if has_wildcards(topic):
            self._filters[topic] = None
            await self._settle_filters()
        else:
            await self._enter(group_of(topic))

    async def discard(self, topic: str) -> None:
        """Leave what brings a topic or a filter."""
        if has_wildcards(topic):
            with suppress(KeyError):
                del self._filters[topic]
            await self._settle_filters()
        else:
            await self._leave(group_of(topic))

    def failed(self, error: Exception) -> None:
        """Note that the layer fails: all groups are joined again, and then the gap is told."""
        if not self._unsure.is_set():
            log.warning("the channel layer fails, and is tried again: %r", error)
        self._unsure.set()

    async def _enter(self, group: str) -> None:
        self._groups.add(group)
        async with self._steps:
            if self._unsure.is_set() or group not in self._groups:
                return  # all groups are going to be joined, or it was left meanwhile
            try:
                async with asyncio.timeout(TIMEOUT):
                    await self._layer.group_add(group, self._channel)
            except Exception as error:
                self.failed(error)

    async def _leave(self, group: str) -> None:
        self._groups.discard(group)
        self._joined.discard(group)
        async with self._steps:
            if group in self._groups:
                return
            try:
                async with asyncio.timeout(TIMEOUT):
                    await self._layer.group_discard(group, self._channel)
            except Exception as error:
                # What comes for it finds nobody, and the membership ends by itself.
                log.debug("the group %s could not be left: %r", group, error)

    async def _join(self) -> None:
        """Take a channel, if that is not done, and join all groups but those that are joined."""
        if not self._channel:
            async with asyncio.timeout(TIMEOUT):
                # The specification of layers has the prefix, the base class not.
                self._channel = await self._layer.new_channel(_CHANNEL_PREFIX)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
            self._has_channel.set()
        while missing := self._groups - self._joined:
            for some in _chunks(list(missing)):
                # Whoever leaves one of them meanwhile takes it out again.
                self._joined.update(some)
                async with asyncio.timeout(TIMEOUT):
                    await asyncio.gather(*(self._layer.group_add(group, self._channel) for group in some))
                for group in some:
                    if group not in self._groups:
                        await self._layer.group_discard(group, self._channel)

    async def _read(self) -> None:
        pause, taken = SHORTEST_PAUSE, 0
        await self._has_channel.wait()
        while not self._ended:
            begun = self.loop.time()
            try:
                message = await self._layer.receive(self._channel)
            except Exception as error:
                if is_timeout(error) and self.loop.time() - begun > PATIENT:
                    continue
                self.failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = SHORTEST_PAUSE
            await self._take(message)
            taken += 1
            if taken % _BURST == 0:
                # A layer that has messages at hand gives them without ever waiting.
                await asyncio.sleep(0)

    async def _take(self, message: Any) -> None:
        try:
            match message:
                case {"type": "wsproto.echo"}:
                    self._echoed.set()
                    return
                case {"type": "wsproto.filters"}:
                    await self._take_demand(message)
                    return
                case _:
                    topic, publication = read_message(message)
            if self._brings(topic, publication, to_all=bool(message.get("all"))):
                self._receiver(topic, publication)
        except ValueError as error:
            self._receiver.malformed(f"on the channel layer: {error}")
        except Exception:
            log.exception("a message of the channel layer could not be delivered")

    def _brings(self, topic: str, publication: bytes, *, to_all: bool) -> bool:
        """Say whether a message is for this process, and did not come already by the other one of its groups."""
        if not self._filters or not may_be_filtered(topic) or next(self._filters.match(topic), self) is self:
            return not to_all
        return self._copies.is_first(topic, publication, to_all)

    async def _take_demand(self, message: dict[str, Any]) -> None:
        who, wanted, answer = read_demand(message)
        if who == self._channel:
            return
        if wanted is not None:
            self._demand.note(who, wanted)
        else:
            self._answered.set()
        if answer is not None:
            try:
                await self._say_demand(answer, wanted=True if self._filters else None)
            except Exception as error:
                # Perhaps the channel is none; whoever needs the answer asks again.
                log.debug("the channel %.100r was not answered: %r", answer, error)

    async def _ask_for_demand(self) -> None:
        await self._say_demand(None, wanted=True if self._filters else None, ask=True)

    async def _say_demand(self, channel: str | None, wanted: bool | None, *, ask: bool = False) -> None:
        """Say to one process, or to all, whether this one listens to filters."""
        message = {"type": DEMAND, "from": self._channel, "wanted": wanted, "answer": self._channel if ask else None}
        async with asyncio.timeout(TIMEOUT):
            if channel is None:
                await self._layer.group_send(ANNOUNCEMENTS, message)
            else:
                await self._layer.send(channel, message)

    async def _settle_filters(self) -> None:
        """Be in the group of all topics, and say so, as long as there are filters.

        One filter may come while another one leaves: what is done follows from the filters there are by then.
        """
        async with self._settling:
            if self._filters and self._announcing is None:
                await self._begin_announcing()
            elif not self._filters and self._announcing is not None:
                await self._stop_announcing()

    async def _begin_announcing(self) -> None:
        self._announcing = self.loop.create_task(self._announce())
        self._tasks.append(self._announcing)
        await self._enter(ALL_TOPICS)
        try:
            await self._ask_for_demand()
            async with asyncio.timeout(_ANSWERS):
                # How many processes there are is not known; those that have answered know.
                while True:
                    self._answered.clear()
                    async with asyncio.timeout(_QUIET):
                        await self._answered.wait()
        except TimeoutError:
            pass
        except Exception as error:
            self.failed(error)

    async def _stop_announcing(self) -> None:
        announcing, self._announcing = self._announcing, None
        if announcing is not None:
            self._tasks.remove(announcing)
            await cancel_and_wait(announcing)
        try:
            await self._say_demand(None, wanted=False)
        except Exception as error:
            log.debug("nobody was told that the filters are left: %r", error)
        await self._leave(ALL_TOPICS)

    async def _announce(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            try:
                await self._say_demand(None, wanted=True)
            except Exception as error:
                self.failed(error)

    async def _keep_groups(self) -> None:
        """Join all groups again after the layer has failed, and from time to time."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                async with asyncio.timeout(self._refresh):
                    await self._unsure.wait()
            except TimeoutError:
                pass
            self._joined.clear()
            try:
                await self._join()
                if self._unsure.is_set():
                    await self._hear_an_echo()
                    self._demand.doubt()
                    await self._ask_for_demand()
                    # Who came meanwhile relied on this.
                    await self._join()
            except Exception as error:
                self.failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = SHORTEST_PAUSE
            if self._unsure.is_set():
                self._unsure.clear()
                log.warning("the channel layer works again")
                self._receiver.gap()

    async def _hear_an_echo(self) -> None:
        """Return when a message to a group of this process has come back.

        Some layers connect again by themselves, and say nothing of it.

        Raises:
            Exception: it does not come, or what the layer raises.
        """
        self._echoed.clear()
        async with asyncio.timeout(TIMEOUT):
            await self._layer.group_add(self._echo_group, self._channel)
            await self._layer.group_send(self._echo_group, {"type": _ECHO})
            await self._echoed.wait()
            await self._layer.group_discard(self._echo_group, self._channel)


def _chunks(groups: list[str]) -> list[list[str]]:
    return [groups[begin : begin + _STEPS] for begin in range(0, len(groups), _STEPS)]


def is_timeout(error: Exception) -> bool:
    """Say whether it is a time-out, of whatever library: redis-py's is no `TimeoutError`.

    From 8.0 on, it gives up a read after 5 seconds, which is as long as channels_redis asks the server to wait. Nothing
    is lost by that, and nothing has failed.
    """
    return isinstance(error, TimeoutError) or type(error).__name__ == "TimeoutError"
