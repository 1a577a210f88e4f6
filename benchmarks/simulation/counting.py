"""What publications cost an engine and the processes, counted message by message."""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from benchmarks.simulation.world import Publication, Topic, World

SLOTS = 16_384

Reach = Literal["interest", "everybody", "connections"]
Routing = Literal["sharded", "broadcast", "routes"]


@dataclass(frozen=True)
class Plan:
    """A way to reach the listeners.

    Attributes:
        reach: ``interest``, one message to each process that has listeners; ``everybody``, one to each process;
            ``connections``, one for each listener.
        nodes: of the engine.
        routing: how several nodes share the work. ``sharded``: a channel belongs to one, to which all processes are
            connected (Redis Cluster's sharded channels). ``broadcast``: nodes tell each other everything, and a process
            listens at one (Redis Cluster's other channels). ``routes``: nodes tell those that have listeners, and a
            process is connected to one (NATS).
        echo: whether the publisher hears itself where it listens; NATS can leave it out.
        prefix: of channels.
    """

    reach: Reach = "interest"
    nodes: int = 1
    routing: Routing = "sharded"
    echo: bool = True
    prefix: str = "wsproto:"


class Counts:
    """Messages: into each node of the engine and out of it, from each process and to it."""

    def __init__(self, nodes: int, processes: int) -> None:
        self.into = [0] * nodes
        self.out = [0] * nodes
        self.sent = [0] * processes
        self.received = [0] * processes

    @property
    def of_nodes(self) -> list[int]:
        return [into + out for into, out in zip(self.into, self.out, strict=True)]

    @property
    def of_processes(self) -> list[int]:
        return [sent + received for sent, received in zip(self.sent, self.received, strict=True)]


def count(world: World, publications: Iterable[Publication], plan: Plan) -> Counts:
    """Count what these publications cause."""
    counts = Counts(plan.nodes, world.scenario.processes)
    by_topic: dict[Topic, Counter[int]] = {}
    for topic, speaker in publications:
        channel = "everything" if plan.reach == "everybody" else topic
        by_topic.setdefault(channel, Counter())[speaker] += 1
    for topic, speakers in by_topic.items():
        _count(counts, topic, speakers, _receivers(world, topic, plan), plan)
    return counts


def _receivers(world: World, topic: Topic, plan: Plan) -> Counter[int]:
    """How many messages each process gets for one that is published."""
    if plan.reach == "everybody":
        return Counter(range(world.scenario.processes))
    listeners = world.audience(topic)
    return listeners if plan.reach == "connections" else Counter(listeners.keys())


def _count(counts: Counts, topic: Topic, speakers: Counter[int], receivers: Counter[int], plan: Plan) -> None:
    owner = slot_of(plan.prefix + topic) * plan.nodes // SLOTS
    times = speakers.total()
    # Whoever asks for each connection says so for each connection.
    copies = receivers.total() if plan.reach == "connections" else 1
    for speaker, said in speakers.items():
        counts.sent[speaker] += said * copies
        entry = owner if plan.routing == "sharded" else speaker % plan.nodes
        counts.into[entry] += said * copies
        if plan.routing == "sharded":
            continue
        interested = range(plan.nodes) if plan.routing == "broadcast" else {each % plan.nodes for each in receivers}
        for node in interested:
            if node != entry:
                counts.out[entry] += said
                counts.into[node] += said
    for receiver, messages in receivers.items():
        heard = times * messages - (0 if plan.echo else speakers[receiver])
        counts.received[receiver] += heard
        counts.out[owner if plan.routing == "sharded" else receiver % plan.nodes] += heard


def count_requests(counts: Counts, asked: Iterable[Publication], plan: Plan) -> None:
    """Add what processes say to begin and to cease to listen, and its confirmations."""
    for topic, process in asked:
        node = slot_of(plan.prefix + topic) * plan.nodes // SLOTS if plan.routing == "sharded" else process % plan.nodes
        counts.into[node] += 1
        counts.out[node] += 1
        counts.sent[process] += 1
        counts.received[process] += 1


def slot_of(channel: str) -> int:
    """The slot of a channel of Redis Cluster: CRC16 of its name (there are no braces in ours)."""
    return crc_hqx(channel.encode(), 0) % SLOTS
