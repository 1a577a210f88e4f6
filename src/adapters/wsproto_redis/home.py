"""What lives on one event loop: the servers that it is in touch with, and what it listens to there."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import threading
import warnings
from collections.abc import Iterable
from typing import Any, Final

from redis.crc import key_slot

from wsproto_core.backplane import Receiver
from wsproto_core.signing import Signer
from wsproto_core.tasks import cancel_and_wait
from wsproto_redis.channels import Channels, Kind, Overlaps, Subscription
from wsproto_redis.link import Away, Link, ReplyError, give_up
from wsproto_redis.node import Node
from wsproto_redis.places import Places, Topology
from wsproto_redis.urls import Address, Location, Options

__all__ = ["Home", "Homes"]

log = logging.getLogger("wsproto_core.redis")

_MAP_PAUSE: Final = 0.3  # seconds between questions for the nodes of a cluster
_REDIRECTED: Final = ("MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN")
_TRIES: Final = 5


class Home:
    """Everything of one event loop.

    Args:
        location: where Redis is.
        options: prefix, time-outs and bounds.
        receiver: who is told; None for publishing only.
    """

    def __init__(self, location: Location, options: Options, receiver: Receiver | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.process = os.getpid()
        self.options = options
        self.receiver = receiver
        self.listens = receiver is not None
        self._is_cluster = location.kind == "cluster"
        self._channels = Channels(options.prefix, sharded=self._is_cluster)
        self._signer = Signer(options.signing_key)
        self._places = Places(location, options)
        self._topics: dict[str, list[Subscription]] = {}
        self._wanted: dict[Subscription, dict[str, None]] = {}
        self._overlaps = Overlaps(self._wanted)
        self._exact: dict[bytes, str] = {}
        self._queued = 0
        self._queue = asyncio.Lock()
        self._nodes: dict[Address, Node] = {}
        self._topology: Topology | None = None
        self._map_is_stale = asyncio.Event()
        self._map_is_tried = asyncio.Event()
        self._mapper: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks weakly
        if self._is_cluster:
            self._map_is_stale.set()
            self._mapper = self.loop.create_task(self._keep_map(), name="wsproto_redis map")
        else:
            self._take_map(Topology([("", 0)], []))
            self._map_is_tried.set()

    @property
    def is_here(self) -> bool:
        """Whether this is the running loop, in this process."""
        return self.process == os.getpid() and asyncio.get_running_loop() is self.loop

    async def tried(self) -> None:
        """Wait until all servers have been connected to, or cannot be."""
        await self._map_is_tried.wait()
        for node in list(self._nodes.values()):
            await node.tried()

    def listen(self, receiver: Receiver) -> None:
        """Begin to listen."""
        self.receiver = receiver
        if not self.listens:
            self.listens = True
            for node in self._nodes.values():
                node.listen()

    async def stop(self) -> None:
        """Let what was published get through, and end."""
        if self._mapper is not None:
            await cancel_and_wait(self._mapper)
        await asyncio.gather(*(node.stop() for node in self._nodes.values()), *self._stopping)
        self._nodes.clear()

    def abandon(self) -> bool:
        """Let go of what a loop has left behind that was closed, or of another process's; say whether there was any."""
        if self._mapper is not None:
            give_up(self._mapper)
        were_open = [node.abandon() for node in self._nodes.values()]
        return any(were_open)

    # Listening.

    async def subscribe(self, topic: str) -> None:
        """Listen to a topic; return once that is confirmed, or remembered.

        Raises:
            ReplyError: Redis does not let us.
        """
        if topic not in self._topics:
            self._topics[topic] = self._channels.subscriptions_of(topic)
            for each in self._topics[topic]:
                self._want(each, topic)
        await self._change(self._topics[topic])
        for each in self._topics.get(topic, ()):
            node = self._node_of(each)
            if node is not None and (error := node.refused.get(each)) is not None:
                raise error

    async def unsubscribe(self, topic: str) -> None:
        """Listen to a topic no more."""
        subscriptions = self._topics.pop(topic, [])
        for each in subscriptions:
            for_topics = self._wanted[each]
            for_topics.pop(topic, None)
            if each.kind is Kind.PATTERN:
                self._overlaps.change(each.name)
            if not for_topics:
                del self._wanted[each]
        await self._change(subscriptions)

    def _want(self, subscription: Subscription, topic: str) -> None:
        self._wanted.setdefault(subscription, {})[topic] = None
        if subscription.kind is Kind.PATTERN:
            self._overlaps.change(subscription.name)

    async def _change(self, subscriptions: Iterable[Subscription]) -> None:
        by_node: dict[Node, list[Subscription]] = {}
        for each in subscriptions:
            node = self._node_of(each)
            if node is not None:
                by_node.setdefault(node, []).append(each)
            else:
                self.stale()
        for changed in [node.change(of_node) for node, of_node in by_node.items()]:
            await asyncio.shield(changed)

    def _node_of(self, subscription: Subscription) -> Node | None:
        with contextlib.suppress(Away):
            return self._node_at(subscription.slot)
        return None

    def _node_at(self, slot: int | None) -> Node:
        if self._topology is None:
            raise Away("no node of the cluster answers")
        return self._nodes[self._topology.owner_of(slot)]

    # What nodes tell.

    def wanted_of(self, node: Node) -> Iterable[Subscription]:
        """Return what a node has to listen to."""
        return [each for each in self._wanted if self._node_of(each) is node]

    def wants(self, node: Node, subscription: Subscription) -> bool:
        """Say whether a node has to listen to something."""
        return subscription in self._wanted and self._node_of(subscription) is node

    def active(self, subscription: Subscription, begins: bool) -> None:
        """Take word that messages come from now on, or no more."""
        if subscription.kind is Kind.PATTERN:
            (self._overlaps.begin if begins else self._overlaps.end)(subscription.name)
        elif not begins:
            self._exact.pop(subscription.name, None)
        else:
            self._exact[subscription.name] = self._channels.topic_of(subscription.name)

    def message(self, kind: bytes, push: list[Any]) -> None:
        """Take a message, in its order among the confirmations."""
        receiver = self.receiver
        if receiver is None:
            return
        if kind == b"pmessage":
            _, pattern, channel, data = push
            if channel in self._exact:
                return
            try:
                topic = self._channels.topic_of(channel)
            except ValueError:
                receiver.malformed(f"on a channel that is none of ours: {channel!r:.100}")
                return
            if not self._overlaps.tells(pattern, channel, topic):
                return
        else:
            _, channel, data = push
            if channel not in self._exact:
                return
            topic = self._exact[channel]
        self._hand_on(receiver, topic, data)

    def _hand_on(self, receiver: Receiver, topic: str, data: bytes) -> None:
        if len(data) > self.options.max_message_bytes:
            receiver.malformed(f"on {topic!r}: {len(data)} bytes")
            return
        try:
            message = self._signer.open(topic, data)
        except ValueError as error:
            receiver.malformed(f"on {topic!r}: {error}")
            return
        try:
            receiver(topic, message)
        except Exception:
            log.exception("what was heard on %r could not be taken", topic)

    def missed(self, subscriptions: Iterable[Subscription]) -> None:
        """Take word that messages of these may have been missed."""
        if self.receiver is None:
            return
        if not self._is_cluster:
            self.receiver.gap()
        elif topics := dict.fromkeys(topic for each in subscriptions for topic in self._wanted.get(each, ())):
            self.receiver.gap(list(topics))

    def stale(self) -> None:
        """Take word that what is known of the cluster may be out of date."""
        self._map_is_stale.set()

    # Publishing.

    async def publish(self, topic: str, message: bytes) -> int | None:
        """Send a message.

        Returns:
            How many connections heard it, if nobody listens here; else it is sent with what comes next, and nobody
            knows.

        Raises:
            Away: Redis cannot be reached.
            ReplyError: Redis refused this message, or an earlier one.
            ValueError: it is too large.
        """
        channel, sharded = self._channels.channel_of(topic)
        data = self._signer.sign(topic, message)
        if len(data) > self.options.max_message_bytes:
            raise ValueError(f"a message of {len(data)} bytes is over max_message_bytes")
        command = (b"SPUBLISH" if sharded else b"PUBLISH", channel, data)
        slot = key_slot(channel) if self._is_cluster else None
        if not self.listens:
            await self.tried()
            return int(await self._ask_at(slot, *command))
        if self._queued or self._is_full(self._mouth_at(slot)):
            await self._publish_later(slot, command)
        else:
            self._send(self._mouth_at(slot), command)
        return None

    async def command(self, key: str, *command: str | bytes) -> Any:
        """Send a command about a key; return its answer.

        Raises:
            Away: Redis cannot be reached.
            ReplyError: Redis refuses.
        """
        await self.tried()
        return await self._ask_at(key_slot(key.encode()) if self._is_cluster else None, *command)

    async def _ask_at(self, slot: int | None, *command: str | bytes) -> Any:
        for remaining in reversed(range(_TRIES)):
            try:
                return await self._mouth_at(slot).ask(*command)
            except ReplyError as error:
                if not self._is_cluster or not str(error).startswith(_REDIRECTED) or not remaining:
                    raise
            self._map_is_tried.clear()
            self.stale()
            await self.tried()
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _mouth_at(self, slot: int | None) -> Link:
        try:
            mouth = self._node_at(slot).mouth
        except Away:
            self.stale()
            raise
        if mouth is None or not mouth.is_open:
            raise Away(f"{self._places.location} is away")
        return mouth

    def _is_full(self, mouth: Link) -> bool:
        return mouth.waiting >= self.options.queue_messages or mouth.waiting_bytes >= self.options.queue_bytes

    async def _publish_later(self, slot: int | None, command: tuple[bytes, ...]) -> None:
        """Wait for room, in the order of arrival."""
        self._queued += 1
        try:
            async with self._queue:
                while self._is_full(mouth := self._mouth_at(slot)):
                    await mouth.room()
                self._send(mouth, command)
        finally:
            self._queued -= 1

    def _send(self, mouth: Link, command: tuple[bytes, ...]) -> None:
        refusal, mouth.refusal = mouth.refusal, None
        mouth.tell(*command)
        if refusal is not None:
            if str(refusal).startswith(_REDIRECTED):
                self.stale()
            raise refusal

    # The cluster.

    async def _keep_map(self) -> None:
        while True:
            await self._map_is_stale.wait()
            self._map_is_stale.clear()
            try:
                topology = await self._places.find()
            except Exception as error:
                log.debug("the nodes of the cluster are not known: %s", error)
                self._map_is_stale.set()
            else:
                self._take_map(topology)
            self._map_is_tried.set()
            await asyncio.sleep(_MAP_PAUSE * random.uniform(0.5, 1))  # noqa: S311 - nothing secret

    def _take_map(self, topology: Topology) -> None:
        before = {each: self._node_of(each) for each in self._wanted}
        gone = [node for address, node in self._nodes.items() if address not in topology.primaries]
        self._topology = topology
        for node in gone:
            del self._nodes[node.address]
            stopping = self.loop.create_task(node.stop(0))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)
        for address in topology.primaries:
            if address not in self._nodes:
                self._nodes[address] = Node(self, self._places, address, self.options)
        for each, old in before.items():
            now = self._node_of(each)
            if now is not None and now is not old:
                now.moves_here([each])
            if now is None:
                self.stale()  # nobody has its slot just now
        for node in self._nodes.values():
            node.review()


class Homes:
    """One home for each event loop that needs one.

    Args:
        location: where Redis is.
        options: prefix, time-outs and bounds.
    """

    def __init__(self, location: Location, options: Options) -> None:
        self._location = location
        self._options = options
        self._lock = threading.Lock()
        self._homes: dict[asyncio.AbstractEventLoop, Home] = {}

    def here(self) -> Home:
        """Return the home on the running loop; what dead loops left behind goes."""
        loop = asyncio.get_running_loop()
        home = self._homes.get(loop)
        if home is not None and home.process == os.getpid():
            return home
        with self._lock:
            left = [each for each, old in self._homes.items() if each.is_closed() or old.process != os.getpid()]
            if left:
                _abandon([self._homes.pop(each) for each in left])
            home = self._homes[loop] = Home(self._location, self._options)
        return home

    async def stop(self) -> None:
        """End what lives on the running loop."""
        with self._lock:
            home = self._homes.pop(asyncio.get_running_loop(), None)
        if home is not None:
            await home.stop()


def _abandon(homes: list[Home]) -> None:
    # What belongs to a closed loop cannot be closed any more: it has to be collected, and would complain of that.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        open_ones = [home.abandon() for home in homes]
        homes.clear()
        if any(open_ones):
            gc.collect()
