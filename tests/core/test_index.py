from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.core.peer import hub_of, peer
from wsproto_core import Audience, TopicFilter, room, topic, user
from wsproto_core.ids import new_connection_id, process_of
from wsproto_core.index import Index
from wsproto_core.routes import EVERYONE_CHANNEL
from wsproto_core.session import Session


@pytest.fixture
async def session() -> AsyncIterator[Callable[..., object]]:
    """Opens connections which the index under test knows nothing of yet."""
    async with AsyncExitStack() as stack:

        async def open_session(connection_id: str, user_id: int | str | None = None) -> Session:
            opened = await stack.enter_async_context(peer(hub_of(), user_id=None, connection_id=connection_id))
            opened.session.user_id = user_id
            return opened.session

        yield open_session


def join(index: Index, session: Session, audience: Audience) -> bool:
    assert audience.topic is not None
    return index.join(session, audience.topic, audience)


async def test_who_joins_first_and_leaves_last_is_told(session) -> None:
    index, one, two = Index(), await session("c1"), await session("c2")
    index.add(one)
    index.add(two)
    assert join(index, one, room("lobby"))
    assert not join(index, two, room("lobby"))
    assert not join(index, two, room("lobby"))
    assert index.members("room/lobby") == [one, two]
    assert not index.leave(one, "room/lobby")
    assert not index.leave(one, "room/lobby")
    assert index.leave(two, "room/lobby")
    assert (index.members("room/lobby"), index.topic_count) == ([], 0)


async def test_a_connection_listens_to_its_user(session) -> None:
    index = Index()
    tab, phone, anonymous = await session("c1", 42), await session("c2", "42"), await session("c3")
    for each in (tab, phone, anonymous):
        index.add(each)
    assert index.members("user/42") == [tab, phone]
    assert index.identify(anonymous) is None
    anonymous.user_id = "a/b"
    assert index.identify(anonymous) == "user/a%2Fb"
    assert index.identify(anonymous) is None
    assert anonymous.topics == {"user/a%2Fb": user("a/b")}


async def test_who_is_not_in_joins_nothing(session) -> None:
    index, stranger = Index(), await session("c1", 42)
    assert not join(index, stranger, room("lobby"))
    assert index.identify(stranger) is None
    assert not index.leave(stranger, "room/lobby")
    assert (stranger.topics, index.topic_count) == (None, 0)


async def test_who_leaves_is_out_of_everything_and_keeps_the_list(session) -> None:
    index, one, two = Index(), await session("c1", 42), await session("c2")
    for each in (one, two):
        index.add(each)
        join(index, each, room("lobby"))
    assert index.topics_of(one) == ["user/42", "room/lobby", "connection/c1", EVERYONE_CHANNEL]
    assert index.remove(one) == ["user/42", "connection/c1", EVERYONE_CHANNEL]
    assert dict(index.connections) == {"c2": two}
    assert index.members("room/lobby") == [two]
    assert one.topics == {"user/42": user(42), "room/lobby": room("lobby")}
    assert not index.leave(one, "room/lobby"), "it is out already"


async def test_a_connection_without_topics_leaves_as_well(session) -> None:
    index, one = Index(), await session("c1")
    index.add(one)
    assert index.topics_of(one) == index.remove(one) == ["connection/c1", EVERYONE_CHANNEL]
    assert not index.connections


async def test_a_later_connection_of_the_same_id_stays(session) -> None:
    index, earlier, later = Index(), await session("c1"), await session("c1")
    index.add(earlier)
    index.add(later)
    index.remove(earlier)
    assert dict(index.connections) == {"c1": later}
    assert index.has("connection/c1")
    index.remove(later)
    assert not index.has("connection/c1")


async def test_it_knows_what_anybody_listens_to(session) -> None:
    index, one = Index(), await session("c/1", 42)
    assert not index.has(EVERYONE_CHANNEL)
    index.add(one)
    join(index, one, topic("sport/tennis"))
    channels = ["user/42", "sport/tennis", "connection/c%2F1", EVERYONE_CHANNEL]
    assert all(map(index.has, channels))
    assert not any(map(index.has, ["user/43", "sport", "connection/c", "c/1", "websocket/c/1", "room/lobby"]))
    index.remove(one)
    assert not any(map(index.has, channels))


async def test_connections_of_one_process_share_a_channel(session) -> None:
    index, one, two, named = (
        Index(),
        await session(new_connection_id()),
        await session(new_connection_id()),
        await session("c1"),
    )
    for each in (one, two, named):
        index.add(each)
    shared = f"connection/process/{process_of(one.id)}"
    assert index.topics_of(one) == index.topics_of(two) == [shared, EVERYONE_CHANNEL]
    assert index.behind(shared) == [one, two]
    assert index.behind("connection/c1") == [named]
    assert index.behind(EVERYONE_CHANNEL) == [one, two, named]
    index.remove(one)
    assert index.has(shared)
    index.remove(two)
    assert not index.has(shared)
    assert index.behind(shared) == []


async def test_behind_a_topic_are_its_members_and_those_of_filters(session) -> None:
    index, one, two = Index(), await session("c1"), await session("c2")
    for each, audience in ((one, topic("sport/tennis")), (two, TopicFilter("sport/#"))):
        index.add(each)
        join(index, each, audience)
    assert index.behind("sport/tennis") == [one, two]
    assert index.behind("sport/golf") == [two]


async def test_behind_a_reserved_level_is_nobody_who_listens_with_wildcards(session) -> None:
    index, one, two = Index(), await session("c1", 42), await session("c2")
    for each, audience in ((one, room("secret")), (two, TopicFilter("#")), (two, TopicFilter("+/+"))):
        index.add(each)
        join(index, each, audience)
    assert index.behind("room/secret") == index.behind("user/42") == [one]
    assert index.behind("$presence/sport") == index.behind("connection/process/gone") == []
    assert index.behind("sport/golf") == [two]


async def test_rooms_are_told_by_the_names_that_they_were_given(session) -> None:
    index, one = Index(), await session("c1", 42)
    index.add(one)
    for audience in (room("a/b"), topic("sport"), room("100%25")):
        join(index, one, audience)
    assert index.rooms() == ["a/b", "100%25"]


async def test_what_it_returns_is_a_copy_or_cannot_be_changed(session) -> None:
    index, one = Index(), await session("c1")
    index.add(one)
    join(index, one, room("lobby"))
    index.members("room/lobby").clear()
    assert index.members("room/lobby") == [one]
    with pytest.raises(TypeError):
        index.connections["c2"] = one
