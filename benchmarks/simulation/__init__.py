"""How many messages an engine and the processes carry, by how many there are and how listeners are reached."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import report
from benchmarks.simulation.counting import Plan, count, count_requests
from benchmarks.simulation.world import Publication, Scenario, World

CONNECTIONS = 200  # of each process
PROCESSES = (10, 100, 1_000)
DRAWN = 20_000  # publications, scaled to what happens in a second
GONE = 2_000  # connections that are replaced, likewise
TITLE = "Messages between processes, simulated"
EXPLANATION = (
    f"{CONNECTIONS} connections in each process; a connection is in three rooms, of 30 members on average and as "
    "popular as Zipf's law has it, up to some thousand members; it says something every 30 seconds, four times of"
    " five to one of its rooms and else to a user, and is replaced after ten minutes, which rooms of up to 200 "
    "members are told (presence). Counted, not measured: messages a second, in and out together, of the busiest "
    "node of the engine and of the busiest process. The tests hold the same counting against a real Redis, a real"
    " Redis Cluster and a real NATS, message by message."
)


@dataclass(frozen=True)
class Row:
    label: str
    plan: Plan
    by_room: bool = False


ROWS = (
    Row("**by interest**: Redis, or one node of NATS", Plan()),
    Row("by interest, Redis Cluster, sharded, 3 nodes", Plan(nodes=3)),
    Row("by interest, Redis Cluster, sharded, 12 nodes", Plan(nodes=12)),
    Row("by interest, Redis Cluster, not sharded, 3 nodes", Plan(nodes=3, routing="broadcast")),
    Row("by interest, Redis Cluster, not sharded, 12 nodes", Plan(nodes=12, routing="broadcast")),
    Row("by interest, NATS, 3 nodes", Plan(nodes=3, routing="routes", echo=False)),
    Row("by interest, NATS, 12 nodes", Plan(nodes=12, routing="routes", echo=False)),
    Row("to every process, one node", Plan("everybody")),
    Row("to every process, Redis Cluster, 3 nodes", Plan("everybody", 3, "broadcast")),
    Row("to every process, Redis Cluster, 12 nodes", Plan("everybody", 12, "broadcast")),
    Row("to every connection, one node", Plan("connections")),
    Row("to every connection, sharded, 12 nodes", Plan("connections", 12)),
    Row("**by interest, behind gateways that go by room**, one node", Plan(), by_room=True),
    Row("by interest, behind such gateways, sharded, 12 nodes", Plan(nodes=12), by_room=True),
)


def run(only: Sequence[str], rounds: int | None) -> None:
    """Simulate, and publish the table. There is nothing to repeat: chance is seeded."""
    cells: dict[Row, list[str]] = {row: [] for row in ROWS}
    private: dict[Row, list[str]] = {row: [] for row in ROWS if not row.by_room}
    notes = []
    for processes in PROCESSES:
        for by_room in (False, True):
            print(f"{processes} processes{', by room' if by_room else ''}", file=sys.stderr)
            world = World.of(Scenario(processes=processes, connections=CONNECTIONS, by_room=by_room))
            for row in ROWS:
                if row.by_room == by_room:
                    cells[row] += _cells(world, world.said(DRAWN), row.plan)
                if row in private and not by_room:
                    private[row] += _cells(world, world.said(DRAWN, private=1), row.plan)
            notes.append(_note(world))
    columns = [column for each in PROCESSES for column in (f"{each:,} processes: node", "process")]
    chats, notifications = (
        report.table(("messages/s", *columns), [(row.label, *found) for row, found in table.items()])
        for table in (cells, private)
    )
    listed = "\n".join(f"- {note}" for note in notes)
    body = f"{chats}\n\n{listed}\n\n## Notifications: every event is for one user\n\n{notifications}"
    body += f"\n\n## 200,000 connections, one node, placed otherwise\n\n{_placed()}"
    report.publish("simulation", TITLE, EXPLANATION, body, {}, keep=not only)


def _placed() -> str:
    """How much it matters where connections are: in fuller processes, or by their room."""
    rows = []
    for processes, rooms_each in ((1_000, 3), (1_000, 2), (1_000, 1), (100, 3)):
        cells = [f"{processes:,} processes, in {rooms_each} room{'s' * (rooms_each > 1)}"]
        for by_room in (False, True):
            connections = 200_000 // processes
            world = World.of(
                Scenario(processes=processes, connections=connections, rooms_each=rooms_each, by_room=by_room)
            )
            cells += _cells(world, world.said(DRAWN), Plan())
        rows.append(cells)
    columns = ("messages/s", "anywhere: node", "process", "by a gateway, by room: node", "process")
    return report.table(columns, rows)


def _cells(world: World, publications: Sequence[Publication], plan: Plan) -> tuple[str, str]:
    scenario = world.scenario
    said = count(world, publications, plan)
    told, asked = world.changes(GONE)
    changed = count(world, told, plan)
    if plan.reach != "everybody":
        count_requests(changed, asked, plan)
    often = scenario.population * scenario.talkative / DRAWN, scenario.population / scenario.stay / GONE
    return _busiest([said.of_nodes, changed.of_nodes], often), _busiest(
        [said.of_processes, changed.of_processes], often
    )


def _busiest(counts: list[list[int]], often: tuple[float, float]) -> str:
    rates = [sum(many * each for many, each in zip(both, often, strict=True)) for both in zip(*counts, strict=True)]
    return f"{max(rates):,.0f}"


def _note(world: World) -> str:
    scenario = world.scenario
    events = scenario.population * scenario.talkative
    said = world.said(DRAWN)
    reached = sum(len(world.audience(topic)) for topic, _ in said) / len(said)
    members = sum(world.audience(topic).total() for topic, _ in said) / len(said)
    largest = max(listeners.total() for listeners in world.listeners.values())
    fullest = Counter(each.process for each in world.connections).most_common(1)[0][1]
    how = "behind gateways that go by room" if scenario.by_room else "connected anywhere"
    return (
        f"{scenario.processes:,} processes, {how}: {scenario.population:,} connections, {events:,.0f} events/s; an "
        f"event has {members:,.0f} receivers in {reached:,.1f} processes; the largest room has {largest:,} members, "
        f"the fullest process {fullest:,} connections."
    )
