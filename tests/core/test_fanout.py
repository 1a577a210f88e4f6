"""From one event to its receivers: who gets it, once, under which audience, and from which thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.core.peer import V1, Elsewhere, Peer, hub_of, opened, peer
from wsproto_core import (
    ActionContext,
    Audience,
    BroadcastNotAllowedError,
    Event,
    EventEnvelope,
    Hub,
    Limits,
    MissingAudienceError,
    Recipient,
    Registry,
    UnknownRecipientError,
    UnserializableEventError,
    connection,
    everyone,
    room,
    topic,
    user,
)
from wsproto_core.encoding import EncodedEvent
from wsproto_core.ids import new_id

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""
    number: float = 0


class Raw:
    """An event of beeflow's kind, with everything that an envelope may say."""

    def __init__(self, **members: Any) -> None:
        self.members = members

    async def emit(self) -> EventEnvelope:
        return EventEnvelope(**{"event": "raw", "recipient": "room", "recipient_id": "a", **self.members})


@asynccontextmanager
async def three(hub: Hub) -> AsyncIterator[tuple[Peer, Peer, Peer]]:
    """Connect ann, who is in the rooms a and b; bob, who is in a; and somebody who is nowhere."""
    async with (
        peer(hub, user_id="ann", rooms=["a", "b"]) as ann,
        peer(hub, user_id="bob", rooms=["a"]) as bob,
        peer(hub) as nobody,
    ):
        await ann.settled()
        await bob.settled()
        yield ann, bob, nobody


async def test_each_audience_reaches_its_members_only() -> None:
    hub = hub_of(allow_broadcast=True)
    async with three(hub) as (ann, bob, nobody):
        await bob.context.subscribe("news")
        for audience, receivers in (
            (room("a"), {ann, bob}),
            (room("b"), {ann}),
            (room("c"), set()),
            (user("ann"), {ann}),
            (user("carol"), set()),
            (connection(nobody.id), {nobody}),
            (connection("unknown"), set()),
            (topic("news"), {bob}),
            (everyone(), {ann, bob, nobody}),
        ):
            assert await hub.emit(Said(), to=audience) == len(receivers)
            for each in (ann, bob, nobody):
                got = await each.arrived()
                assert len(got) == (each in receivers)
                for message in got:
                    assert (message["recipient"], message["recipient_id"]) == (audience.kind, audience.id)
                    assert "req_id" not in message


async def test_an_event_names_itself_the_same_for_all_and_is_numbered_for_each() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, _):
        await hub.emit(Said(), to=user("ann"))
        await hub.emit(Said(), to=room("a"))
        own, shared = await ann.arrived()
        [other] = await bob.arrived()
        assert own["msg_id"] != shared["msg_id"] == other["msg_id"]
        assert [own["seq"], shared["seq"], other["seq"]] == [1, 2, 1]


async def test_several_audiences_reach_each_connection_once_under_the_first_that_fits() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, nobody):
        assert await hub.emit(Said(), to=[room("b"), user("bob"), room("a"), connection(ann.id)]) == 2
        [to_ann], [to_bob] = await ann.arrived(), await bob.arrived()
        assert (to_ann["recipient"], to_ann["recipient_id"]) == ("room", "b")
        assert (to_bob["recipient"], to_bob["recipient_id"]) == ("user", "bob")
        assert nobody.unread() == []


async def test_who_is_excluded_gets_nothing() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, _):
        assert await hub.emit(Said(), to=room("a"), exclude=ann.id) == 1
        assert await hub.emit(Said().to(room("a"), exclude=connection(bob.id))) == 1
        assert await hub.emit(Said().to(room("a"), exclude=[ann.id]), exclude=[bob.id]) == 0
        assert [len(await each.arrived()) for each in (ann, bob)] == [1, 1]


async def test_the_emitters_audience_wins_over_the_events_own() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, _):
        assert await hub.emit(Said().to(user("ann")), to=user("bob")) == 1
        assert (await ann.arrived(), len(await bob.arrived())) == ([], 1)


async def test_the_asker_gets_its_event_among_the_others() -> None:
    registry = Registry()

    @registry.action("tell")
    async def tell(context: ActionContext) -> Said:
        reached = await context.emit(Said(), to=[room("b"), room("a")])
        without = await context.emit(Said().to(room("a"), exclude=context.connection_id))
        others = await context.emit(Said(), to=user("bob"))
        return Said(text=f"{reached} {without} {others}")

    hub = hub_of(registry)
    async with three(hub) as (ann, bob, _):
        req_id = await ann.send("tell")
        own = [await ann.read() for _ in range(2)]
        assert [(each["req_id"], each["seq"], each["recipient"]) for each in own] == [
            (req_id, 1, "room"),
            (req_id, 2, "websocket"),
        ]
        assert own[0]["recipient_id"] == "b"
        assert own[1]["payload"]["text"] == "2 1 1"
        assert [each["seq"] for each in await bob.arrived()] == [1, 2, 3]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_application_has_recipients_of_its_own(asynchronous: bool) -> None:
    registry = Registry()
    members: dict[str, Iterable[str]] = {}

    if asynchronous:

        @registry.recipient("session")
        async def find_later(recipient_id: str) -> Iterable[str]:
            await asyncio.sleep(0)
            return members.get(recipient_id, ())
    else:

        class Session(Recipient, name="session", registry=registry):
            def resolve(self, recipient_id: str) -> Iterable[str]:
                return members.get(recipient_id, ())

    hub = hub_of(registry)
    async with three(hub) as (ann, bob, nobody):
        members["17"] = iter([bob.id, ann.id, bob.id, "gone"])
        assert await hub.emit(Said(), to=Audience("session", "17")) == 2
        [to_ann], [to_bob] = await ann.arrived(), await bob.arrived()
        assert (to_ann["recipient"], to_ann["recipient_id"]) == ("session", "17")
        assert to_ann["msg_id"] == to_bob["msg_id"]
        assert nobody.unread() == []
        assert await hub.emit(Said(), to=Audience("session", "18")) == 0


async def test_an_unknown_recipient_is_a_lookup_error_and_reaches_nobody() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, _):
        with pytest.raises(UnknownRecipientError, match=r"@recipient\('session'\)") as caught:
            await hub.emit(Said(), to=[room("a"), Audience("session", "17")])
        assert isinstance(caught.value, LookupError)
        assert ann.unread() == bob.unread() == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_a_resolver_that_would_end_the_process_ends_its_action_only(error: type[BaseException]) -> None:
    registry = Registry()

    @registry.recipient("team")
    async def team(recipient_id: str) -> list[str]:
        await asyncio.sleep(0)
        raise error

    @registry.action("tell")
    async def tell() -> Said:
        return Said(text="x").to(Audience("team", "1"))

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("tell"))["code"] == "internal_error"
        assert (await client.ask("health"))["event"] == "health"


async def test_an_event_for_nobody_is_an_error() -> None:
    hub = hub_of()
    for emit in (hub.emit(Said()), hub.emit(Said(), to=[])):
        with pytest.raises(MissingAudienceError, match="The event 'said' goes to nobody"):
            await emit
    with pytest.raises(MissingAudienceError):
        hub.emit_sync(Said())


async def test_everyone_is_reached_only_where_that_is_allowed() -> None:
    hub = hub_of()
    with pytest.raises(BroadcastNotAllowedError, match="allow_broadcast=True"):
        await hub.emit(Said(), to=everyone())
    with pytest.raises(BroadcastNotAllowedError):
        hub.emit_sync(Said(), to=[room("a"), everyone()])


async def test_what_json_cannot_carry_is_sent_to_nobody() -> None:
    hub = hub_of()
    async with three(hub) as (ann, _, __):
        with pytest.raises(UnserializableEventError):
            await hub.emit(Said(number=float("nan")), to=room("a"))
        with pytest.raises(UnserializableEventError):
            hub.emit_sync(Said(text="\ud800"), to=room("a"))
        assert (await ann.ask("health"))["seq"] == 1


async def test_anything_that_emits_an_envelope_is_delivered() -> None:
    hub = hub_of()
    msg_id = new_id()
    async with three(hub) as (ann, bob, _):
        assert await hub.emit(Raw(msg_id=msg_id, req_id=new_id(), seq=99, payload={"a": [1]})) == 2
        [message] = await ann.arrived()
        assert message == {
            "msg_id": msg_id,
            "seq": 1,
            "event": "raw",
            "recipient": "room",
            "recipient_id": "a",
            "payload": {"a": [1]},
        }
        assert len(await bob.arrived()) == 1
        assert await hub.emit(Raw(), to=user("ann")) == 1
        assert (await ann.read())["recipient"] == "user"


async def test_what_emits_no_envelope_is_a_type_error() -> None:
    class Wrong:
        async def emit(self) -> Any:
            return {"event": "raw"}

    with pytest.raises(TypeError, match=r"An Event is emitted, or what has an async emit\(\), and no dict"):
        await Hub().emit({"event": "raw"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Wrong\.emit\(\) must return an EventEnvelope, not dict"):
        await hub_of().emit(Wrong(), to=room("a"))


async def test_a_long_loop_of_events_does_not_cut_a_client_that_reads() -> None:
    hub = hub_of(limits=Limits(outbox_messages=50))
    async with three(hub) as (ann, _, __):
        for number in range(500):
            assert await hub.emit(Said(text=str(number)), to=room("b")) == 1
        seen = [await ann.read() for _ in range(500)]
        assert [(each["seq"], each["payload"]["text"]) for each in seen] == [
            (number + 1, str(number)) for number in range(500)
        ]


async def test_what_comes_after_the_end_of_its_request_is_an_event_like_those_of_others() -> None:
    registry = Registry()
    looked_up, entered = asyncio.Event(), asyncio.Event()

    @registry.recipient("team")
    async def team(recipient_id: str) -> list[str]:
        entered.set()
        await looked_up.wait()
        return [client.id]

    @registry.action("tell")
    async def tell(context: ActionContext) -> None:
        await context.emit(Said(text="late"), to=Audience("team", "1"))

    async with peer(hub_of(registry), V1) as client:
        request = await client.send("tell")
        await entered.wait()
        cancel = await client.send("ws.cancel", {"req_id": request})
        ends = [await client.read() for _ in range(2)]
        assert {each["req_id"]: each.get("code", each.get("event")) for each in ends} == {
            request: "cancelled",
            cancel: "ws.complete",
        }
        looked_up.set()
        late = await client.read()
        assert (late["event"], late.get("req_id"), late["recipient"]) == ("said", None, "team")


async def test_who_is_being_closed_is_not_reached() -> None:
    hub = hub_of()
    async with three(hub) as (ann, _, __):
        ann.session.close(1000, "")
        assert await hub.emit(Said(), to=user("ann")) == 0


async def test_observers_are_told_of_everything_that_is_emitted() -> None:
    hub = hub_of()
    seen: list[tuple[str, tuple[Audience, ...]]] = []

    def observe(event: EncodedEvent, audiences: tuple[Audience, ...]) -> None:
        seen.append((event.name, audiences))

    hub.fanout.observers.append(observe)
    await hub.emit(Said(), to=[room("a"), user(1)])
    hub.emit_sync(Said(), to=room("b"))
    assert seen == [("said", (room("a"), user(1))), ("said", (room("b"),))]


# Without waiting


async def test_on_its_own_loop_a_connection_has_the_event_at_once() -> None:
    hub = hub_of()
    async with three(hub) as (ann, _, __):
        hub.emit_sync(Said(text="now").to(room("x")), to=[user("ann"), room("a")], exclude="nobody")
        [message] = await ann.arrived()
        assert (message["recipient"], message["payload"]["text"]) == ("user", "now")


async def test_from_a_thread_each_connection_has_the_event_through_its_loop() -> None:
    hub = hub_of()
    async with three(hub) as (ann, bob, _):
        await asyncio.to_thread(hub.emit_sync, Said(), room("a"))
        assert (await ann.read())["seq"] == (await bob.read())["seq"] == 1


@pytest.mark.parametrize("from_thread", [False, True])
async def test_recipients_that_have_to_be_looked_up_get_it_soon(from_thread: bool) -> None:
    registry = Registry()

    @registry.recipient("session")
    async def find(recipient_id: str) -> list[str]:
        return list(hub.connections)

    hub = hub_of(registry)
    async with three(hub) as (ann, _, __):
        emit: Callable[..., Any] = hub.emit_sync
        if from_thread:
            await asyncio.to_thread(emit, Said(), Audience("session", "1"))
            await asyncio.to_thread(emit, Raw(), Audience("session", "1"))
        else:
            emit(Said(), Audience("session", "1"))
            emit(Raw(), Audience("session", "1"))
        assert [(await ann.read())["event"] for _ in range(2)] == ["said", "raw"]


# Several loops


async def test_connections_on_other_loops_are_reached_in_order() -> None:
    hub = hub_of()
    with Elsewhere() as elsewhere:
        far = await elsewhere.run(opened(hub, rooms=["a"]))
        await elsewhere.run(far.settled())
        async with peer(hub, rooms=["a"]) as near:
            await near.settled()
            for number in range(100):
                assert await hub.emit(Said(text=str(number)), to=room("a")) == 2
            hub.emit_sync(Said(text="sync"), to=room("a"))
            await elsewhere.run(hub.emit(Said(text="from there"), to=room("a")))

            async def read() -> list[Any]:
                return [await far.read() for _ in range(102)]

            seen = await elsewhere.run(read())
            assert [each["seq"] for each in seen] == list(range(1, 103))
            expected = [*map(str, range(100)), "sync", "from there"]
            assert [each["payload"]["text"] for each in seen] == expected
            assert [(await near.read())["payload"]["text"] for _ in range(102)] == expected
        await elsewhere.run(far.leave())


async def test_a_connection_whose_loop_has_ended_is_not_reached_and_hurts_nobody() -> None:
    hub = hub_of()
    with Elsewhere() as elsewhere:
        far = await elsewhere.run(opened(hub, rooms=["a"]))
        await elsewhere.run(far.settled())
    async with peer(hub, rooms=["a"]) as near:
        await near.settled()
        assert await hub.emit(Said(), to=room("a")) == 1
        assert (await near.read())["event"] == "said"


# Between hubs


async def test_what_another_hub_emits_is_delivered_here() -> None:
    one, two = (hub_of(backplane="memory://fanout", allow_broadcast=True) for _ in range(2))
    async with peer(one, V1, user_id=1, rooms=["a"]) as here, peer(two, V1, user_id=2, rooms=["a", "b"]) as there:
        await here.settled()
        await there.settled()
        for audience in (room("a"), [room("b"), room("a")], user(2), connection(there.id), everyone()):
            await one.emit(Said(), to=audience, exclude=here.id)
            message = await there.read()
            first = audience[0] if isinstance(audience, list) else audience
            assert (message["recipient"], message["recipient_id"]) == (first.kind, first.id)
        one.emit_sync(Said(text="sync"), to=room("b"))
        assert (await there.read())["payload"]["text"] == "sync"
        assert here.unread() == []
        assert there.unread() == []
    await one.stop()
    await two.stop()


async def test_recipients_of_an_applications_own_kind_are_looked_up_where_it_is_emitted() -> None:
    registry = Registry()

    @registry.recipient("session")
    def find(recipient_id: str) -> list[str]:
        return [recipient_id]

    one, two = (hub_of(registry, backplane="memory://fanout-own") for _ in range(2))
    async with peer(one, rooms=["a"]) as here, peer(two, rooms=["a"]) as there:
        await here.settled()
        await there.settled()
        assert await one.emit(Said(), to=[Audience("session", here.id), room("a")]) == 1
        assert (await here.read())["recipient"] == "session"
        assert (await there.read())["recipient"] == "room"
    await one.stop()
    await two.stop()
