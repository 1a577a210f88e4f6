"""Presence, as clients of one or of several processes see it."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from tests.core.peer import V1, Elsewhere, Peer, hub_of, opened, peer, until
from wsproto_core import (
    AUTHENTICATE_LATER,
    ConfigurationError,
    Event,
    Hub,
    Identity,
    Limits,
    Presence,
    Problem,
    Registry,
    Topic,
    TopicFilter,
    room,
    topic,
)
from wsproto_core.ids import new_id
from wsproto_core.presence import MemoryPresenceStore, Present
from wsproto_core.publications import PresenceChange


def yes(context: object, audience: object) -> bool:
    return True


@pytest.fixture
def make() -> Callable[..., Hub]:
    def make(**options: Any) -> Hub:
        # Clients in memory answer no close frame.
        return hub_of(authorize_subscribe=yes, limits=Limits(drain_timeout=0.01), **options)

    return make


@pytest.fixture
async def processes(make: Callable[..., Hub], request: pytest.FixtureRequest) -> AsyncIterator[tuple[Hub, Hub]]:
    pair = make(backplane=f"memory://{request.node.name}"), make(backplane=f"memory://{request.node.name}")
    yield pair
    for hub in pair:
        await hub.stop()


async def subscribe(client: Peer, name: str = "room/a") -> list[tuple[int | str, int]]:
    """Subscribe with presence; return the users who are there, and how many connections each has."""
    assert (await client.ask("ws.subscribe", {"topic": name, "presence": True}))["event"] == "ws.subscribed"
    state = await client.read()
    assert state["event"] == "ws.presence_state"
    assert state["payload"]["topic"] == name
    return users(state["payload"]["members"])


def users(members: list[dict[str, Any]]) -> list[tuple[int | str, int]]:
    return sorted(((member["user_id"], len(member["metas"])) for member in members), key=str)


async def diff(client: Peer) -> dict[str, list[tuple[int | str, int]]]:
    """Return the next diff."""
    message = await client.read()
    assert message["event"] == "ws.presence_diff", message
    kinds = ("joins", "leaves", "updates")
    return {kind: users(message["payload"][kind]) for kind in kinds if message["payload"][kind]}


async def test_who_subscribes_is_told_who_is_there_and_who_comes_and_goes(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann, peer(hub, user_id="bob", rooms=["a"]) as bob:
        await bob.settled()
        assert await subscribe(ann) == [("bob", 1), (1, 1)]
        async with peer(hub, user_id=3, rooms=["a"]):
            assert await diff(ann) == {"joins": [(3, 1)]}
        assert await diff(ann) == {"leaves": [(3, 1)]}
        await bob.context.leave("a")
        assert await diff(ann) == {"leaves": [("bob", 1)]}
        assert [(member.user_id, len(member.metas)) for member in await hub.presence("room/a")] == [(1, 1)]
        assert await bob.arrived() == []


async def test_the_diffs_name_the_topic_and_are_events_like_others(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann:
        await subscribe(ann, "sport/tennis")
        async with peer(hub, user_id=2) as bob:
            await bob.context.subscribe("sport/tennis")
            message = await ann.read()
    assert (message["recipient"], message["recipient_id"], message["seq"]) == ("topic", "sport/tennis", 3)
    assert set(message["payload"]) == {"topic", "joins", "leaves", "updates"}
    assert "req_id" not in message


async def test_a_user_with_several_tabs_comes_once_and_goes_with_the_last(processes: tuple[Hub, Hub]) -> None:
    one, other = processes
    async with peer(one, user_id=9) as watcher:
        await subscribe(watcher)
        async with peer(other, user_id=1, rooms=["a"]):
            assert await diff(watcher) == {"joins": [(1, 1)]}
            async with peer(one, user_id="1", rooms=["a"]):
                assert await diff(watcher) == {"updates": [(1, 2)]}
            assert await diff(watcher) == {"updates": [(1, 1)]}
        assert await diff(watcher) == {"leaves": [(1, 1)]}


async def test_refs_are_no_ids_of_connections_and_stay_the_same(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1, rooms=["a", "b"]) as ann, peer(hub, user_id=1, rooms=["a"]) as tab:
        for each in (ann, tab):
            await each.settled()
        (member,) = await hub.presence(room("a"))
        refs = {meta.ref for meta in member.metas}
        assert len(refs) == 2
        assert not any(ref in ann.id or ref in tab.id for ref in refs)
        assert (await hub.presence("room/b"))[0].metas[0].ref in refs


async def test_the_anonymous_are_not_counted_until_they_have_a_user(make: Callable[..., Hub]) -> None:
    hub = make(authenticate=lambda info: Identity(int(info.token)) if info.token else AUTHENTICATE_LATER)
    anonymous = make()
    async with peer(anonymous, user_id=9) as watcher, peer(anonymous, user_id=None, rooms=["a"]) as nobody:
        await nobody.settled()
        assert await subscribe(watcher) == [(9, 1)]
    async with peer(hub, user_id=9) as watcher, peer(hub) as late:
        await subscribe(watcher)
        await late.context.join("a")
        assert await hub.presence("room/a") == await hub.presence(room("a"))
        assert len(await hub.presence("room/a")) == 1
        await late.ask("ws.authenticate", {"token": "5"})
        assert await diff(watcher) == {"joins": [(5, 1)]}
        await late.ask("ws.authenticate", {"token": "5"})
    await hub.stop()


async def test_two_processes_see_the_same(processes: tuple[Hub, Hub]) -> None:
    one, other = processes
    async with peer(one, user_id=1, rooms=["a"]) as ann, peer(other, user_id=2) as bob:
        await ann.settled()
        await until_present(other, [(1, 1)])
        assert await subscribe(bob) == [(1, 1), (2, 1)]
        async with peer(one, user_id=3, rooms=["a"]):
            assert await diff(bob) == {"joins": [(3, 1)]}
            assert len(await one.presence("room/a")) == len(await other.presence("room/a")) == 3
        assert await diff(bob) == {"leaves": [(3, 1)]}
        await one.stop()
        assert await diff(bob) == {"leaves": [(1, 1)]}


async def until_present(hub: Hub, expected: list[tuple[int | str, int]]) -> None:
    async def present() -> list[tuple[int | str, int]]:
        return sorted((member.user_id, len(member.metas)) for member in await hub.presence("room/a"))

    async with asyncio.timeout(10):
        while await present() != expected:  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.01)


async def test_a_process_that_is_killed_is_gone_within_its_lease(make: Callable[..., Hub]) -> None:
    store = MemoryPresenceStore()
    hub = make(backplane="memory://killed", presence=Presence(lease=1, store=store))
    await store.renew("killed", 1)
    await store.add("killed", [("room/a", "r", 7)])
    async with peer(hub, user_id=1) as ann:
        assert await subscribe(ann) == [(1, 1), (7, 1)]
        assert await diff(ann) == {"leaves": [(7, 1)]}
    await hub.stop()
    assert store._leases == store._kept == {}


async def test_who_was_just_heard_of_is_not_taken_for_dead(processes: tuple[Hub, Hub]) -> None:
    one, _ = processes
    async with peer(one, user_id=1) as ann:
        await subscribe(ann)
        attendance = one._attendance
        assert attendance is not None
        async with peer(processes[1], user_id=2, rooms=["a"]):
            assert await diff(ann) == {"joins": [(2, 1)]}
            # What was asked before the other process was heard of cannot know of it.
            attendance._bury(frozenset(), 0.0)
            assert attendance._watches["room/a"].untold is False
            attendance._bury(frozenset(), float("inf"))
            assert await diff(ann) == {"leaves": [(2, 1)]}


async def test_names_are_added_for_all_at_once(make: Callable[..., Hub]) -> None:
    asked: list[list[int | str]] = []

    async def names(user_ids: list[int | str]) -> dict[int | str, Any]:
        asked.append(user_ids)
        return {user_id: {"name": f"user {user_id}"} for user_id in user_ids if user_id != 3}

    hub = make(presence=Presence(info=names))
    async with peer(hub, user_id=1, rooms=["a"]) as ann, peer(hub, user_id=2, rooms=["a"]), peer(hub, user_id=9) as me:
        await ann.settled()
        await me.ask("ws.subscribe", {"topic": "room/a", "presence": True})
        members = (await me.read())["payload"]["members"]
        assert [member["info"]["name"] for member in members] == ["user 1", "user 2", "user 9"]
        assert asked == [[1, 2, 9]]
        async with peer(hub, user_id=3, rooms=["a"]), peer(hub, user_id=4, rooms=["a"]):
            joins = (await me.read())["payload"]["joins"]
        assert [member.get("info") for member in joins] == [None, {"name": "user 4"}]
        assert asked[1] == [3, 4]
        assert {member.info["name"] for member in await hub.presence("room/a")} >= {"user 1", "user 9"}


async def test_names_are_asked_for_again_when_the_connections_of_a_member_change(make: Callable[..., Hub]) -> None:
    names = {1: "Ann", 2: "Bob"}
    hub = make(presence=Presence(info=lambda user_ids: {user_id: names[user_id] for user_id in user_ids}))
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2, rooms=["a"]) as bob:
        await bob.settled()
        await subscribe(ann)
        names[2] = "Robert"
        async with peer(hub, user_id=2, rooms=["a"]):
            update = (await ann.read())["payload"]["updates"][0]
        assert (update["user_id"], update["info"], len(update["metas"])) == (2, "Robert", 2)


@pytest.mark.parametrize("fails", [False, True], ids=["answers", "fails"])
async def test_names_may_come_from_a_plain_function(
    make: Callable[..., Hub], caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    threads: list[str] = []

    def names(user_ids: list[int | str]) -> dict[str, str]:
        threads.append(threading.current_thread().name)
        if fails:
            raise ValueError("of a test")
        return {str(user_id): "name" for user_id in user_ids}

    hub = make(presence=Presence(info=names))
    async with peer(hub, user_id=1) as ann:
        await ann.ask("ws.subscribe", {"topic": "room/a", "presence": True})
        members = (await ann.read())["payload"]["members"]
    assert [member.get("info") for member in members] == [None if fails else "name"]
    assert all(name.startswith("wsproto-worker") for name in threads)
    assert len(caplog.records) == fails
    await hub.stop()


async def test_the_application_may_join_with_presence(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann:
        await ann.context.join(room("a"), presence=True)
        assert users((await ann.read())["payload"]["members"]) == [(1, 1)]
        async with peer(hub, user_id=2, rooms=["a"]):
            assert await diff(ann) == {"joins": [(2, 1)]}


async def test_a_typed_topic_has_presence_too() -> None:
    registry = Registry()

    class Discussion(Topic, pattern="discussion/{pk}", registry=registry):
        pk: int

        async def authorize(self, context: Any) -> bool:
            return True

        async def on_subscribe(self, context: Any) -> Any:
            yield Began()

    class Began(Event, name="began", registry=registry):
        pass

    hub = hub_of(registry)
    async with peer(hub, user_id=1) as ann:
        await ann.send("ws.subscribe", {"topic": "discussion/3", "presence": True})
        assert [(await ann.read())["event"] for _ in range(3)] == ["ws.subscribed", "ws.presence_state", "began"]
        assert [member.user_id for member in await hub.presence(Discussion(pk=3))] == [1]


@pytest.mark.parametrize(
    ("options", "name"),
    [({"presence": False}, "room/a"), ({"presence": Presence(topics=["sport"])}, "room/a"), ({}, "sport/#")],
    ids=["off", "not here", "filter"],
)
async def test_where_there_is_no_presence_the_subscription_stays(
    make: Callable[..., Hub], options: dict[str, Any], name: str
) -> None:
    hub = make(client_wildcards=True, **options)
    async with peer(hub, user_id=1) as ann:
        assert (await ann.ask("ws.subscribe", {"topic": name, "presence": True}))["event"] == "ws.subscribed"
        assert (await ann.read())["code"] == "forbidden"
        assert ann.session.topics is not None
        assert name in ann.session.topics


async def test_where_it_is_off_nobody_can_be_asked(make: Callable[..., Hub]) -> None:
    with pytest.raises(ConfigurationError, match="presence=True"):
        await make(presence=False).presence("room/a")


async def test_filters_and_topics_without_presence_count_for_nothing(make: Callable[..., Hub]) -> None:
    hub = make(presence=Presence(topics=["sport/tennis"]))
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
        await subscribe(ann, "sport/tennis")
        await bob.context.join(TopicFilter("sport/#"), topic("sport/golf"), "a")
        await bob.context.subscribe("sport/tennis")
        assert await diff(ann) == {"joins": [(2, 1)]}
        assert await hub.presence("sport/golf") == []


async def test_who_unsubscribes_or_leaves_is_told_no_more(processes: tuple[Hub, Hub]) -> None:
    one, other = processes
    attendance = one._attendance
    assert attendance is not None
    async with peer(one, user_id=1) as ann, peer(one, user_id=2) as bob:
        await subscribe(ann)
        await subscribe(bob)
        await diff(ann)
        assert attendance.wants("$presence/room/a")
        await ann.ask("ws.unsubscribe", {"topic": "room/a"})
        assert await diff(bob) == {"leaves": [(1, 1)]}
        assert attendance.wants("$presence/room/a")
    await until(lambda: not attendance.wants("$presence/room/a"))
    async with peer(other, user_id=3, rooms=["a"]) as carol:
        await carol.settled()
        assert await ann.arrived() == []
    assert attendance._watches == {}


async def test_subscribing_again_brings_the_state_again(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2, rooms=["a"]) as bob:
        await bob.settled()
        assert await subscribe(ann) == await subscribe(ann) == [(1, 1), (2, 1)]


class Awkward(MemoryPresenceStore):
    """A store that can be held up, and that may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.error: Exception | None = None

    async def members(self, topic: str) -> Sequence[Present]:
        found = await super().members(topic)
        self.asked += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return found


async def test_what_is_heard_while_it_is_found_out_counts(make: Callable[..., Hub]) -> None:
    store = Awkward()
    one, other = (make(backplane="memory://early", presence=Presence(store=store)) for _ in range(2))
    async with peer(one, user_id=1) as ann, peer(other, user_id=2, rooms=["a"]) as bob:
        await bob.settled()
        await until_present(other, [(2, 1)])
        store.open.clear()
        store.asked = 0
        asking = asyncio.create_task(subscribe(ann))
        await until(lambda: store.asked)
        async with peer(other, user_id=3, rooms=["a"]):
            await until(lambda: len(watched(one).early) == 1)
            await bob.leave()
            await until(lambda: len(watched(one).early) == 2)
            store.open.set()
            assert sorted(await asking) == [(1, 1), (3, 1)]
    for hub in (one, other):
        await hub.stop()


def watched(hub: Hub) -> Any:
    assert hub._attendance is not None
    return hub._attendance._watches["room/a"]


async def test_several_may_ask_at_once(make: Callable[..., Hub]) -> None:
    store = Awkward()
    hub = make(backplane="memory://at-once", presence=Presence(store=store))
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
        store.open.clear()
        asking = [asyncio.create_task(subscribe(each)) for each in (ann, bob)]
        await until(lambda: store.asked == 2)
        store.open.set()
        for state in await asyncio.gather(*asking):
            assert sorted(state) == [(1, 1), (2, 1)]
    await hub.stop()


async def test_a_store_that_is_away_is_unavailable(make: Callable[..., Hub], caplog: pytest.LogCaptureFixture) -> None:
    store = Awkward()
    store.error = ConnectionError("away")
    hub = make(backplane="memory://away", presence=Presence(store=store))
    async with peer(hub, user_id=1) as ann:
        assert (await ann.ask("ws.subscribe", {"topic": "room/a", "presence": True}))["event"] == "ws.subscribed"
        problem = await ann.read()
        assert (problem["code"], problem["retryable"]) == ("unavailable", True)
        with pytest.raises(ConnectionError):
            await hub.presence("room/a")
        store.error = None
        assert await subscribe(ann) == [(1, 1)]
    assert "who is present on 'room/a' cannot be found out" in caplog.text
    await hub.stop()


async def test_after_a_gap_everything_is_looked_at_again(
    make: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wsproto_core.attendance._SETTLING", 0)
    store = Awkward()
    hub = make(backplane="memory://gap", presence=Presence(store=store))
    async with peer(hub, user_id=1) as ann:
        await subscribe(ann)
        await store.renew("other", 30)
        await store.add("other", [("room/a", "r", 2)])
        hub._neighbours.gap(["$presence/room/a", "$presence/nobody", "room/a"])
        assert await diff(ann) == {"joins": [(2, 1)]}
        # The engine comes back empty.
        store._kept.clear()
        store._leases.clear()
        hub._neighbours.gap(None)
        hub._neighbours.gap(None)
        assert await diff(ann) == {"leaves": [(2, 1)]}
        assert [each[2] for each in await store.members("room/a")] == [1]
        store.error = ConnectionError("away")
        hub._neighbours.gap(["$presence/room/a"])
        await until(lambda: "cannot be found out" in caplog.text)
    await hub.stop()


async def test_what_could_not_be_found_out_after_a_gap_is_asked_again_with_the_next_renewal(
    make: Callable[..., Hub], caplog: pytest.LogCaptureFixture
) -> None:
    store = Awkward()
    hub = make(backplane="memory://asked-again", presence=Presence(store=store))
    async with peer(hub, user_id=1) as ann:
        await subscribe(ann)
        await store.renew("other", 30)
        await store.add("other", [("room/a", "r", 2)])
        store.error = ConnectionError("away")
        hub._neighbours.gap(["$presence/room/a"])
        await until(lambda: "cannot be found out" in caplog.text)
        store.error = None
        assert hub._attendance is not None
        assert hub._attendance._exchange is not None
        await hub._attendance._exchange.recover()
        assert await diff(ann) == {"joins": [(2, 1)]}
        assert not watched(hub).stale
    await hub.stop()


@pytest.mark.parametrize("error", [TimeoutError(), RuntimeError("the engine is away")])
async def test_an_engine_that_does_not_answer_is_asked_again_later(
    make: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("wsproto_core.attendance._SETTLING", 0)
    hub = make(backplane=f"memory://silent-{type(error).__name__}", presence=True)
    attendance = hub._attendance
    assert attendance is not None
    assert attendance._exchange is not None

    async def recover() -> None:
        raise error

    async with peer(hub, user_id=1) as ann:
        await subscribe(ann)
        store: Any = attendance._exchange._store
        await store.renew("other", 30)
        await store.add("other", [("room/a", "r", 2)])
        monkeypatch.setattr(attendance._exchange, "recover", recover)
        attendance.miss(None)
        assert await diff(ann) == {"joins": [(2, 1)]}
    await hub.stop()


async def test_who_is_gone_before_a_subscription_is_made_is_not_noted_as_present(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1, rooms=["a"]) as ann:
        await ann.settled()
    await ann.context.join("b")
    await ann.context.subscribe("news")
    for name in ("room/a", "room/b", "news"):
        assert await hub.presence(name) == []
    attendance = hub._attendance
    assert attendance is not None
    assert [state async for state in hub.memberships.presence_of(ann.context, "room/a")] == []
    assert not attendance._watches


async def test_no_diff_comes_before_the_state(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2, rooms=["a"]) as bob:
        await bob.settled()
        attendance = hub._attendance
        assert attendance is not None
        state = await attendance.watch(ann.session, "room/a")
        assert [member.user_id for member in state.members] == [2]
        async with peer(hub, user_id=3, rooms=["a"]):
            await until(lambda: watched(hub).sessions[ann.session])
            assert await ann.arrived() == []
            attendance.release(ann.session, "room/a")
            attendance.release(ann.session, "room/a")
            attendance.release(ann.session, "room/b")
            assert await diff(ann) == {"joins": [(3, 1)]}
        assert await diff(ann) == {"leaves": [(3, 1)]}


async def test_who_is_gone_before_the_state_is_there_is_forgotten(make: Callable[..., Hub]) -> None:
    store = Awkward()
    hub = make(backplane="memory://gone", presence=Presence(store=store))
    async with peer(hub, user_id=1) as ann:
        store.open.clear()
        await ann.send("ws.subscribe", {"topic": "room/a", "presence": True})
        await until(lambda: store.asked)
    attendance = hub._attendance
    assert attendance is not None
    store.open.set()
    await until(lambda: attendance._watches == {})
    await hub.stop()


async def test_who_breaks_off_at_the_state_watches_nothing(make: Callable[..., Hub]) -> None:
    hub = make()
    async with peer(hub, user_id=1) as ann:
        states = hub.memberships.presence_of(ann.context, "room/a")
        await anext(states)
        await states.aclose()
        attendance = hub._attendance
        assert attendance is not None
        assert attendance._watches == {}


async def test_connections_of_other_loops_are_present_too(make: Callable[..., Hub]) -> None:
    hub = make(backplane="memory://loops", presence=True)
    with Elsewhere() as elsewhere:
        async with peer(hub, user_id=1) as ann:
            await subscribe(ann)
            client = await elsewhere.run(opened(hub, V1, user_id=2, rooms=["a"]))
            assert await diff(ann) == {"joins": [(2, 1)]}
            await elsewhere.run(client.leave())
            assert await diff(ann) == {"leaves": [(2, 1)]}
            await until(lambda: not hub._background)
    await hub.stop()


async def test_a_loop_that_ends_before_it_told_anybody_holds_up_nothing(
    make: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.attendance._OVERDUE", 0)
    hub = make()
    async with peer(hub, user_id=1) as ann:
        await subscribe(ann)
        attendance = hub._attendance
        assert attendance is not None
        attendance._flush_begun = 0.0  # as a loop left it that was stopped
        async with peer(hub, user_id=2, rooms=["a"]):
            assert await diff(ann) == {"joins": [(2, 1)]}


async def test_a_hook_may_be_forbidden_and_says_so(make: Callable[..., Hub], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    hub = hub_of()
    async with peer(hub, user_id=1) as ann:
        assert (await ann.ask("ws.subscribe", {"topic": "room/a", "presence": True}))["code"] == "forbidden"
        with pytest.raises(Problem, match="presence"):
            await ann.context.join(TopicFilter("sport/#"), presence=True)


async def test_who_unsubscribes_while_it_is_found_out_is_told_nothing(make: Callable[..., Hub]) -> None:
    store = Awkward()
    hub = make(backplane="memory://unsubscribed", presence=Presence(store=store))
    attendance = hub._attendance
    assert attendance is not None
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
        await subscribe(bob)
        watched(hub).loaded = False
        store.open.clear()
        asking = asyncio.create_task(attendance.watch(ann.session, "room/a"))
        await until(lambda: ann.session in watched(hub).sessions and store.asked == 2)
        attendance.unwatch(ann.session, "room/a")
        store.open.set()
        assert [member.user_id for member in (await asking).members] == [2]
        assert ann.session not in watched(hub).sessions
    await hub.stop()


async def test_what_another_process_says_of_what_nobody_watches_is_passed_over(processes: tuple[Hub, Hub]) -> None:
    one, other = processes
    async with peer(one, user_id=1) as ann, peer(other, user_id=2) as bob:
        await bob.context.join("a")
        await subscribe(ann)
        change = PresenceChange(origin="x", id=new_id(), topic="room/b", joins=(("x", "r", 3),), leaves=())
        one._neighbours.presence(change)
        hub_of(presence=False)._neighbours.presence(change)
        assert await ann.arrived() == []


async def test_without_presence_gaps_leaving_and_stopping_go_on(make: Callable[..., Hub]) -> None:
    hub = make(backplane="memory://without", presence=False)
    async with peer(hub, V1, user_id=1, rooms=["a"]) as ann:
        await ann.settled()
        hub._neighbours.gap(["room/a"])
        assert (await ann.read())["event"] == "ws.gap"
        await ann.context.leave("a")
    await hub.stop()


async def test_who_asks_while_names_are_fetched_waits_for_them(make: Callable[..., Hub]) -> None:
    fetched = asyncio.Event()

    async def names(user_ids: list[int | str]) -> dict[int | str, str]:
        await fetched.wait()
        return dict.fromkeys(user_ids, "name")

    hub = make(presence=Presence(info=names))
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
        asking = asyncio.create_task(subscribe(ann))
        await until(lambda: hub._attendance and hub._attendance._watches and watched(hub).telling)
        asking_too = asyncio.create_task(subscribe(bob))
        await until(lambda: watched(hub).waiting)
        fetched.set()
        assert (1, 1) in await asking
        assert await asking_too == [(1, 1), (2, 1)]


async def test_who_waits_for_the_state_waits_for_no_more_than_was_known_when_it_asked(make: Callable[..., Hub]) -> None:
    turns: asyncio.Queue[None] = asyncio.Queue()

    async def names(user_ids: list[int | str]) -> dict[int | str, str]:
        await turns.get()
        return {}

    hub = make(presence=Presence(info=names))
    async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
        asking = asyncio.create_task(subscribe(ann))
        await until(lambda: hub._attendance and hub._attendance._watches and watched(hub).telling)
        await bob.context.join("a")
        turns.put_nowait(None)
        # Of the second round nobody has the names yet.
        assert (1, 1) in await asking
        turns.put_nowait(None)
        assert await diff(ann) == {"joins": [(2, 1)]}


async def test_a_loop_that_ends_while_names_are_fetched_leaves_nobody_waiting(make: Callable[..., Hub]) -> None:
    async def names(user_ids: list[int | str]) -> dict[int | str, str]:
        if asyncio.get_running_loop() is not here:
            entered.set()
            await asyncio.Event().wait()
        return {}

    here, entered = asyncio.get_running_loop(), threading.Event()
    hub = make(presence=Presence(info=names))
    attendance = hub._attendance
    assert attendance is not None

    async def fetch() -> None:
        watch = attendance._watches["room/a"]
        task = asyncio.create_task(attendance._tell(watch))
        await until(lambda: len(watch.waiting) == 1)
        task.cancel()

    with Elsewhere() as elsewhere:
        async with peer(hub, user_id=1) as ann, peer(hub, user_id=2) as bob:
            await subscribe(ann)
            watched(hub).members["x", "r"] = 3
            fetching = asyncio.create_task(elsewhere.run(fetch()))
            await until(entered.is_set)
            assert await subscribe(bob) == [(1, 1)]
            await fetching
