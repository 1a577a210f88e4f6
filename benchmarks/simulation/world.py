"""Who is connected where, what they listen to, and what is said: a population, drawn by chance and always the same.

Rooms are as popular as in real life: the second has half as many members as the first, the third a third (Zipf), but
none has more than there is room for. A room is spoken to as often as it has members. A user has one connection, or two,
or three.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice

Topic = str
Publication = tuple[Topic, int]
"""A topic, and the process that publishes to it."""

PRESENCE = "$presence/"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How many there are, and what they do.

    Attributes:
        processes: of the application.
        connections: of each process.
        rooms_each: rooms that a connection is in.
        room_size: members that a room has on average.
        largest: about how many members the most popular rooms have.
        talkative: events a second that a connection causes.
        private: which part of them is for one user.
        stay: seconds that a connection stays; another one comes when it goes.
        listed: rooms with up to so many members show who is present.
        by_room: whether a gateway brings connections of one room together.
    """

    processes: int
    connections: int
    rooms_each: int = 3
    room_size: int = 30
    largest: int = 1_000
    talkative: float = 1 / 30
    private: float = 0.2
    stay: float = 600.0
    listed: int = 200
    by_room: bool = False
    seed: int = 2026

    @property
    def population(self) -> int:
        return self.processes * self.connections


@dataclass
class Connection:
    process: int
    user: Topic
    rooms: list[Topic]

    @property
    def topics(self) -> list[Topic]:
        return [self.user, *self.rooms]


@dataclass
class World:
    """The population of a scenario.

    Attributes:
        listeners: for each topic, the processes that have listeners of it, and how many.
    """

    scenario: Scenario
    connections: list[Connection] = field(default_factory=list)
    listeners: dict[Topic, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    @classmethod
    def of(cls, scenario: Scenario) -> World:
        """Draw the population."""
        chance = random.Random(scenario.seed)
        world = cls(scenario)
        rooms = max(1, scenario.population * scenario.rooms_each // scenario.room_size)
        weights = _popularity(rooms, scenario.largest / (scenario.population * scenario.rooms_each))
        numbers = range(rooms)
        users = _users(chance)
        for place in range(scenario.population):
            drawn = chance.choices(numbers, cum_weights=weights, k=scenario.rooms_each)
            its_rooms = [f"room/{number}" for number in dict.fromkeys(drawn)]
            world.connections.append(Connection(place % scenario.processes, f"user/{next(users)}", its_rooms))
        if scenario.by_room:
            world._bring_together(chance)
        for each in world.connections:
            for topic in each.topics:
                world.listeners[topic][each.process] += 1
        return world

    def said(self, count: int, seed: int = 1, private: float | None = None) -> list[Publication]:
        """Draw so many events: to a room of the speaker's, or to another user, in that part of the cases."""
        chance = random.Random(seed)
        share = self.scenario.private if private is None else private
        found: list[Publication] = []
        for speaker in chance.choices(self.connections, k=count):
            to = chance.choice(self.connections).user if chance.random() < share else chance.choice(speaker.rooms)
            found.append((to, speaker.process))
        return found

    def changes(self, count: int, seed: int = 2) -> tuple[list[Publication], list[Publication]]:
        """Draw so many connections that go, each replaced by another one of its kind.

        Returns:
            What is told of it, and what the engine is asked to listen to and no more.
        """
        chance = random.Random(seed)
        told: list[Publication] = []
        asked: list[Publication] = []
        for each in chance.choices(self.connections, k=count):
            for topic in each.topics:
                if topic in each.rooms and self.listeners[topic].total() <= self.scenario.listed:
                    told += [(PRESENCE + topic, each.process)] * 2
                if self.listeners[topic][each.process] == 1:
                    asked += [(topic, each.process)] * 2
        return told, asked

    def audience(self, topic: Topic) -> Counter[int]:
        """The processes that have listeners of a topic; who is in a room with a list looks at it."""
        return self.listeners[topic.removeprefix(PRESENCE)]

    def _bring_together(self, chance: random.Random) -> None:
        """Put connections by their first room, a large room on as many processes as it fills half."""
        processes = self.scenario.processes
        sizes = Counter(each.rooms[0] for each in self.connections)
        homes = {room: chance.randrange(processes) for room in sizes}
        for each in self.connections:
            room = each.rooms[0]
            spread = min(processes, -(-2 * sizes[room] // self.scenario.connections))
            each.process = (homes[room] + chance.randrange(spread)) % processes


def _popularity(rooms: int, share: float) -> list[float]:
    """The weights of rooms, added up; none is drawn more often than that share of the time."""
    weights = [1 / rank for rank in range(1, rooms + 1)]
    for _ in range(10):
        most = max(share * sum(weights), weights[-1])
        weights = [min(each, most) for each in weights]
    return list(accumulate(weights))


def _users(chance: random.Random) -> Iterator[int]:
    """Numbers of users, each as often as they have connections; their connections are opened at different times."""
    upcoming: list[int] = []
    number = 0
    while True:
        while len(upcoming) < 1_000:
            upcoming += [number] * chance.choices((1, 2, 3), weights=(6, 3, 1))[0]
            number += 1
        chance.shuffle(upcoming)
        yield from islice(upcoming, 500)
        del upcoming[:500]
