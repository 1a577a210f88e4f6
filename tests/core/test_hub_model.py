"""A hub against a model of a few dicts: whatever is joined, emitted and ended, the right ones get the right events."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from tests.core.peer import V1, Peer, hub_of, opened
from wsproto_core import ActionContext, Audience, Event, Registry, connection, everyone, room, topic, user
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.decoding import Decoder

USERS = st.none() | st.integers(1, 3)
NAMES = st.sampled_from(["a", "b", "a/b", "+", "%2F"])
TOPICS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=3).map("/".join).filter(bool)
FILTERS = st.lists(st.sampled_from(["a", "b", "", "+", "+"]), min_size=1, max_size=3).flatmap(
    lambda levels: st.sampled_from(["/".join(levels) or "#", "/".join([*levels, "#"])])
)


class Numbered(Event, register=False):
    event_name = "numbered"
    number: int


REGISTRY = Registry()
# Making the tables of the built-in actions takes longer than all that an example does.
DECODER = Decoder(REGISTRY, BUILTIN_ACTIONS, require_ids=True)


class Member:
    """What the model knows of a connection."""

    def __init__(self, peer: Peer, user_id: int | None) -> None:
        self.peer = peer
        self.user_id = user_id
        self.rooms: set[str] = set()
        self.filters: set[str] = set()
        self.owed: list[tuple[int, str, str]] = []
        self.last_seq = 1  # ws.ready

    def hears(self, audience: Audience) -> bool:
        match audience.kind:
            case "websocket":
                return audience.id == self.peer.id
            case "user":
                return self.user_id is not None and audience.id == str(self.user_id)
            case "room":
                return audience.id in self.rooms
            case "topic":
                return any(matches(each.split("/"), audience.id.split("/")) for each in self.filters)
        return audience.kind == "everyone"


def matches(pattern: list[str], levels: list[str]) -> bool:
    """MQTT 5 section 4.7, as simply as it can be said."""
    if not pattern:
        return not levels
    if pattern[0] == "#":
        return True
    return bool(levels) and pattern[0] in {"+", levels[0]} and matches(pattern[1:], levels[1:])


def on_the_loop(step: Callable[..., Any]) -> Callable[..., Any]:
    """Make a rule of a coroutine function."""

    @functools.wraps(step)
    def run(self: "HubMachine", **arguments: Any) -> Any:
        return self.runner.run(step(self, **arguments))

    return run


class HubMachine(RuleBasedStateMachine):
    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.hub = hub_of(
            REGISTRY,
            allow_broadcast=True,
            client_wildcards=True,
            authorize_subscribe=lambda context, audience: True,
        )
        self.hub.decoder = DECODER
        self.here: list[Member] = []
        self.count = 0

    @rule(target=members, user_id=USERS)
    @on_the_loop
    async def connect(self, user_id: int | None) -> Member:
        peer = await opened(self.hub, V1, user_id=user_id)
        await peer.settled()
        assert (await peer.read())["event"] == "ws.ready"
        self.here.append(Member(peer, user_id))
        return self.here[-1]

    @rule(member=members, name=NAMES)
    @on_the_loop
    async def join(self, member: Member, name: str) -> None:
        await member.peer.context.join(room(name))
        member.rooms.add(name)

    @rule(member=members, name=NAMES)
    @on_the_loop
    async def leave(self, member: Member, name: str) -> None:
        await member.peer.context.leave(room(name))
        member.rooms.discard(name)

    @rule(member=members, name=TOPICS | FILTERS)
    @on_the_loop
    async def subscribe(self, member: Member, name: str) -> None:
        await member.peer.context.subscribe(name)
        member.filters.add(name)

    @rule(member=members, name=TOPICS | FILTERS)
    @on_the_loop
    async def unsubscribe(self, member: Member, name: str) -> None:
        await member.peer.context.unsubscribe(name)
        member.filters.discard(name)

    @rule(member=members, name=TOPICS | FILTERS)
    @on_the_loop
    async def ask_to_subscribe(self, member: Member, name: str) -> None:
        answer = await member.peer.ask("ws.subscribe", {"topic": name})
        end = await member.peer.read()
        assert (answer["event"], end["event"]) == ("ws.subscribed", "ws.complete")
        assert (answer["seq"], end["seq"]) == (member.last_seq + 1, member.last_seq + 2)
        member.last_seq += 2
        member.filters.add(name)

    @rule(
        named=st.lists(st.builds(room, NAMES) | st.builds(user, st.integers(1, 4)) | st.builds(topic, TOPICS)),
        told=st.lists(members, max_size=2),
        excluded=st.lists(members, max_size=2),
        all_of_them=st.booleans(),
        now=st.booleans(),
    )
    @on_the_loop
    async def emit(
        self, named: list[Audience], told: list[Member], excluded: list[Member], *, all_of_them: bool, now: bool
    ) -> None:
        audiences = [*named, *(connection(each.peer.id) for each in told), *([everyone()] if all_of_them else [])]
        if not audiences:
            return
        self.count += 1
        reached = 0
        for member in self.here:
            first = next((each for each in audiences if member.hears(each)), None)
            if first is not None and member not in excluded:
                member.owed.append((self.count, first.kind, first.id))
                reached += 1
        exclude = [each.peer.id for each in excluded]
        if now:
            self.hub.emit_sync(Numbered(number=self.count), to=audiences, exclude=exclude)
        else:
            assert await self.hub.emit(Numbered(number=self.count), to=audiences, exclude=exclude) == reached
        for member in self.here:
            await self.check(member)

    async def check(self, member: Member) -> None:
        """Whatever was owed has come, in order, numbered without a hole; and nothing else."""
        received = await member.peer.arrived()
        assert [
            (each["payload"]["number"], each["recipient"], each["recipient_id"]) for each in received
        ] == member.owed
        numbers = [each["seq"] for each in received]
        assert numbers == list(range(member.last_seq + 1, member.last_seq + 1 + len(received)))
        member.last_seq += len(received)
        member.owed.clear()

    @rule(member=consumes(members))
    @on_the_loop
    async def vanish(self, member: Member) -> None:
        await member.peer.leave()
        self.here.remove(member)

    @rule(target=members, member=consumes(members))
    @on_the_loop
    async def come_back_with_the_same_id(self, member: Member) -> Any:
        await member.peer.leave()
        self.here.remove(member)
        peer = await opened(self.hub, V1, user_id=member.user_id, connection_id=member.peer.id)
        await peer.settled()
        await peer.read()
        self.here.append(Member(peer, member.user_id))
        # What belonged to the first is not the second's: its context is that of one that has ended.
        await ActionContext(member.peer.session).join("a")
        return multiple(self.here[-1])

    @invariant()
    def the_hub_knows_who_is_where(self) -> None:
        assert set(self.hub.connections) == {member.peer.id for member in self.here}
        assert set(self.hub.rooms()) == {name for member in self.here for name in member.rooms}
        assert set(self.hub.topics()) == {name for member in self.here for name in member.filters}
        for name in self.hub.rooms():
            assert self.hub.room_size(name) == sum(name in member.rooms for member in self.here)

    def teardown(self) -> None:
        for member in self.here:
            self.runner.run(member.peer.leave())
        index = self.hub._index
        assert (index._topics, dict(index.connections), len(index._filters)) == ({}, {}, 0)
        assert index._filters._root.children is None
        assert self.hub.stats().topics == 0
        self.runner.run(self.hub.stop())
        self.runner.close()


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=min(settings().max_examples, 5_000), stateful_step_count=30)
