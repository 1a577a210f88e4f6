from collections.abc import Callable

import pytest

from wsproto_core import ConfigurationError, Presence
from wsproto_core.presence import Member, MemoryPresenceStore, Meta, Renewal

LEASE = 30.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances the time by some seconds."""
    now = [1_000.0]
    monkeypatch.setattr("wsproto_core.presence.monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


async def test_who_was_put_is_there_until_removed() -> None:
    store = MemoryPresenceStore()
    await store.renew("p", LEASE)
    await store.add("p", [("a", "r1", 1), ("a", "r2", "ann"), ("b", "r1", 1)])
    await store.add("p", [("a", "r1", 1)])
    assert await store.members("a") == [("p", "r1", 1), ("p", "r2", "ann")]
    await store.remove("p", [("a", "r1", 1), ("a", "never", 1), ("never", "r1", 1), ("b", "r1", 1)])
    assert await store.members("a") == [("p", "r2", "ann")]
    assert await store.members("b") == []
    assert list(store._kept) == ["a"]


async def test_a_lease_is_fresh_once_and_names_who_is_alive() -> None:
    store = MemoryPresenceStore()
    assert await store.renew("p", LEASE) == Renewal(True, frozenset({"p"}))
    assert await store.renew("q", LEASE) == Renewal(True, frozenset({"p", "q"}))
    assert await store.renew("p", LEASE) == Renewal(False, frozenset({"p", "q"}))


async def test_who_does_not_renew_is_gone_with_all_that_it_put(clock: Callable[[float], None]) -> None:
    store = MemoryPresenceStore()
    for process in "pq":
        await store.renew(process, LEASE)
        await store.add(process, [("a", f"r{process}", 1), (process, "r", 1)])
    clock(LEASE * 0.75)
    await store.renew("q", LEASE)
    clock(LEASE * 0.5)
    assert await store.members("a") == [("q", "rq", 1)]
    assert await store.renew("q", LEASE) == Renewal(False, frozenset({"q"}))
    assert set(store._kept) == {"a", "q"}
    assert await store.renew("p", LEASE) == Renewal(True, frozenset({"p", "q"}))


async def test_who_leaves_leaves_nothing() -> None:
    store = MemoryPresenceStore()
    await store.renew("p", LEASE)
    await store.add("p", [("a", "r", 1)])
    await store.leave("p")
    await store.leave("p")
    assert await store.members("a") == []
    assert store._kept == store._leases == {}


def test_by_default_every_topic_and_room_has_it() -> None:
    assert all(map(Presence().covers, ["sport", "room/lobby", "sport/tennis"]))


def test_some_topics_and_rooms_may_have_it() -> None:
    presence = Presence(topics=["room/lobby", "game/+", "news/#"])
    assert all(map(presence.covers, ["room/lobby", "game/1", "news", "news/a/b"]))
    assert not any(map(presence.covers, ["room/other", "game", "game/1/x", "sport"]))
    assert Presence(topics=["room/+"]).covers("room/other")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lease": 0.5}, "at least 1, not 0.5"),
        ({"lease": True}, "not True"),
        ({"lease": "30"}, "not '30'"),
        ({"lease": float("inf")}, "not inf"),
        ({"info": 5}, "a function or None, not int"),
        ({"topics": "room/+"}, r"\['room/\+'\]"),
        ({"topics": ["a+b"]}, "stands for one whole level"),
        ({"topics": ["user/1"]}, "reserved"),
        ({"topics": [5]}, "5 is no name of a topic"),
        ({"topics": [""]}, "non-empty"),
    ],
    ids=range(10),
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Presence(**options)  # type: ignore[arg-type]


def test_a_member_is_written_without_what_nobody_said() -> None:
    assert Member(user_id=1, metas=[Meta(ref="r")]).model_dump() == {"user_id": 1, "metas": [{"ref": "r"}]}
    assert Member(user_id="a", info={"name": "Ann"}).model_dump(mode="json")["info"] == {"name": "Ann"}
