"""What other processes ask for, between hubs that share a backplane in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.core.peer import V1, Elsewhere, Peer, hub_of, opened, peer, until
from wsproto_core import Admission, Audience, Event, Hub, Registry, TopicFilter, connection, everyone, room, topic, user
from wsproto_core.ids import new_id
from wsproto_core.publications import Disconnection
from wsproto_core.routes import EVERYONE_CHANNEL, channel_of


class Said(Event, name="said", registry=Registry()):
    text: str = ""


@pytest.fixture
async def hubs() -> AsyncIterator[tuple[Hub, Hub]]:
    one, other = (hub_of(backplane="memory://neighbours", allow_broadcast=True) for _ in range(2))
    yield one, other
    for hub in (one, other):
        await hub.stop()


async def gaps_of(client: Peer) -> list[Any]:
    return [message["payload"]["topic"] for message in await client.arrived() if message["event"] == "ws.gap"]


def asked(*audiences: Audience, exclude: frozenset[str] = frozenset()) -> Disconnection:
    return Disconnection(origin="x", id=new_id(), audiences=audiences, exclude=exclude, code=4000, reason="")


async def test_an_event_for_one_connection_finds_it_in_another_process(hubs: tuple[Hub, Hub]) -> None:
    one, other = hubs
    async with peer(other) as client, peer(other) as neighbour, peer(other, connection_id="mine") as named:
        for each in (client, neighbour, named):
            await each.settled()
        await one.emit(Said(text="1"), to=connection(client.id))
        await one.emit(Said(text="2"), to=connection("mine"))
        assert (await client.read())["payload"] == {"text": "1"}
        assert (await named.read())["payload"] == {"text": "2"}
        assert await neighbour.arrived() == []


async def test_a_user_is_disconnected_in_every_process(hubs: tuple[Hub, Hub]) -> None:
    one, other = hubs
    async with peer(one, user_id=7) as here, peer(other, user_id=7) as there, peer(other, user_id=8) as somebody:
        for each in (here, there, somebody):
            await each.settled()
        assert await one.disconnect(user(7), 4000, "bye") == 1
        assert await here.cut() == await there.cut() == (4000, "bye")
        assert somebody.session.is_open


async def test_one_connection_is_disconnected_wherever_it_is(hubs: tuple[Hub, Hub]) -> None:
    one, other = hubs
    async with peer(other) as client, peer(other) as neighbour:
        for each in (client, neighbour):
            await each.settled()
        assert await one.disconnect(connection(client.id), 4000) == 0
        assert await client.cut() == (4000, "")
        assert neighbour.session.is_open


async def test_who_is_excluded_stays_and_an_own_kind_of_recipient_is_nobody() -> None:
    hub = hub_of(allow_broadcast=True)
    async with peer(hub, rooms=["a"]) as stays, peer(hub, rooms=["a"]) as goes, peer(hub) as leaves:
        for each in (stays, goes, leaves):
            await each.settled()
        exclude = frozenset({stays.id})
        hub._neighbours.disconnection(asked(Audience("session", "17"), room("a"), exclude=exclude))
        assert await goes.cut() == (4000, "")
        assert leaves.session.is_open
        hub._neighbours.disconnection(asked(everyone(), exclude=exclude))
        assert await leaves.cut() == (4000, "")
        assert stays.session.is_open


async def test_who_is_on_the_way_is_disconnected_by_another_process_too() -> None:
    hub = hub_of()
    admission = await hub.admit((await _info()), user_id=7)
    hub._neighbours.disconnection(asked(user(7)))
    assert admission.revoked == (4000, "")


async def test_a_process_where_somebody_is_only_on_the_way_hears_of_a_disconnection() -> None:
    one, other = (hub_of(backplane="memory://on-the-way") for _ in range(2))
    info = await _info()
    admissions = [await other.admit(info, user_id=user_id, connection_id=f"c{user_id}") for user_id in (7, 8, 8)]
    assert isinstance(admissions[0], Admission)
    for audience in (user(7), connection("c8")):
        await one.disconnect(audience, 4000)
    revoked = [each.revoked for each in admissions if isinstance(each, Admission)]
    assert revoked == [(4000, ""), (4000, "")]
    bus = other._publisher._backplane._bus  # type: ignore[union-attr]
    assert set(bus.listeners) == {"user/7", "user/8", "connection/c7", "connection/c8", EVERYONE_CHANNEL}
    for each in admissions:
        if isinstance(each, Admission):
            other.release(each)
    await until(lambda: not bus.listeners)
    for hub in (one, other):
        await hub.stop()
    other.release(admissions[0])
    await until(lambda: not other._background)
    assert other._publisher._home is None  # type: ignore[union-attr]


async def test_who_gives_up_waiting_for_the_engine_holds_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = hub_of(backplane="memory://given-up")

    async def follow(topics: Any) -> None:
        raise asyncio.CancelledError

    info = await _info()
    monkeypatch.setattr(hub._publisher, "follow", follow)
    with pytest.raises(asyncio.CancelledError):
        await hub.admit(info, user_id=7, connection_id="c7")
    assert not hub.gate.awaits("user/7")
    assert not hub.gate._reserved
    await until(lambda: not hub._background)


async def _info() -> Any:
    async with peer(hub_of()) as client:
        return client.session.info


async def test_an_event_to_everyone_needs_the_permission_of_each_process() -> None:
    speaker, listener = (hub_of(backplane="memory://everyone", allow_broadcast=allow) for allow in (True, False))
    async with peer(listener) as client:
        await client.settled()
        await speaker.emit(Said(), to=everyone())
        await speaker.emit(Said(text="after"), to=connection(client.id))
        assert (await client.read())["payload"] == {"text": "after"}
    for hub in (speaker, listener):
        await hub.stop()


async def test_a_gap_is_told_to_those_who_listen_and_opted_in() -> None:
    hub = hub_of(allow_broadcast=True)
    async with (
        peer(hub, V1, user_id=7, rooms=["a"]) as member,
        peer(hub, V1) as listener,
        peer(hub, rooms=["a"]) as plain,
        peer(hub, V1, connection_id="c1") as named,
    ):
        await listener.context.subscribe("sport/#")
        for each in (member, plain, named):
            await each.settled()
        tell = hub._neighbours.gap
        tell(["room/a", "user/7", "room/nobody"])
        assert await gaps_of(member) == ["room/a", "user/7"]
        tell(["sport/tennis", "sport/golf"])
        assert await gaps_of(listener) == ["sport/tennis", "sport/golf"]
        tell(["connection/c1", channel_of(connection(member.id))])
        assert await gaps_of(named) == ["connection/c1"]
        assert await gaps_of(member) == [f"connection/{member.id}"]
        assert await gaps_of(listener) == [f"connection/{listener.id}"]
        tell([EVERYONE_CHANNEL])
        assert [await gaps_of(each) for each in (member, listener, named)] == [[EVERYONE_CHANNEL]] * 3
        assert await plain.arrived() == []


@pytest.mark.parametrize("broadcast", [False, True])
async def test_a_gap_of_everything_names_all_that_a_client_listens_to(broadcast: bool) -> None:
    hub = hub_of(allow_broadcast=broadcast)
    async with peer(hub, V1, user_id=7) as client:
        for each in (room("a"), topic("sport/golf"), TopicFilter("news/#")):
            await client.context.join(each)
        hub._neighbours.gap(None)
        expected = ["user/7", "room/a", "sport/golf", "news/#", f"connection/{client.id}"]
        if broadcast:
            expected.append(EVERYONE_CHANNEL)
        for name in expected:
            assert (await client.read())["payload"] == {"topic": name}
        assert await client.arrived() == []


async def test_a_gap_is_told_to_many_without_holding_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_core.neighbours._AT_ONCE", 2)
    hub = hub_of()
    clients = [await opened(hub, V1) for _ in range(5)]
    hub._neighbours.gap(None)
    for client in clients:
        assert (await client.read())["event"] == "ws.ready"
        assert (await client.read())["event"] == "ws.gap"
        await client.leave()


async def test_a_gap_may_be_told_of_from_any_thread() -> None:
    hub = hub_of()
    async with peer(hub, V1, rooms=["a"]) as client:
        await client.settled()
        for channels in (["room/a"], None):
            thread = threading.Thread(target=hub._neighbours.gap, args=[channels])
            thread.start()
            thread.join()
            assert (await client.read())["payload"] == {"topic": "room/a"}
        assert (await client.read())["payload"] == {"topic": f"connection/{client.id}"}


async def test_connections_of_another_loop_are_told_there() -> None:
    hub = hub_of()
    with Elsewhere() as elsewhere:
        client = await elsewhere.run(opened(hub, V1, rooms=["a"]))
        await elsewhere.run(client.settled())
        hub._neighbours.gap(["room/a"])
        assert (await elsewhere.run(client.read()))["event"] == "ws.ready"
        assert (await elsewhere.run(client.read()))["payload"] == {"topic": "room/a"}
        await elsewhere.run(client.leave())
