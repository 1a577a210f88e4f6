import asyncio
import json
import logging
from typing import Any
from uuid import UUID

import pytest

from wsproto_core import AUTHENTICATE_LATER, ConfigurationError, Identity, Tickets, tickets
from wsproto_core.tickets import MemoryTicketStore

FULL = Identity(user_id=42, expires_at=2e9, scopes=frozenset({"a", "b"}), state={"name": "Ada", "nested": [1, None]})


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(tickets, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    "identity",
    [FULL, Identity(), 42, "42", UUID(int=42), None],
    ids=["full", "anonymous", "int", "str", "uuid", "none"],
)
async def test_a_ticket_is_good_once(identity: Any) -> None:
    office = Tickets()
    ticket = await office.issue(identity)
    expected = identity if isinstance(identity, Identity) else Identity(user_id=identity)
    found = await office.redeem(ticket)
    assert found == expected
    assert found is not None
    assert type(found.user_id) is type(expected.user_id)
    assert await office.redeem(ticket) is None


async def test_of_many_who_try_one_ticket_at_once_one_gets_in() -> None:
    office = Tickets()
    ticket = await office.issue(1)
    assert sorted(await asyncio.gather(*(office.redeem(ticket) for _ in range(50))), key=bool)[-2] is None


async def test_a_ticket_lives_for_seconds(clock: Clock) -> None:
    office = Tickets(lifetime=30)
    early, late = await office.issue(1), await office.issue(1)
    clock.now += 29.9
    assert await office.redeem(early) is not None
    clock.now += 0.2
    assert await office.redeem(late) is None


async def test_no_two_are_alike_and_none_can_be_guessed() -> None:
    office = Tickets()
    issued = {await office.issue(1) for _ in range(1_000)}
    assert len(issued) == 1_000
    assert all(len(ticket) * 6 >= 256 for ticket in issued)
    for wrong in ("", "x", "\ud800", next(iter(issued))[:-1]):
        assert await office.redeem(wrong) is None


async def test_the_store_does_not_hold_what_opens_the_door() -> None:
    store = MemoryTicketStore()
    ticket = await Tickets(store=store).issue(1)
    assert ticket not in repr(store._kept)


async def test_what_nobody_takes_is_forgotten(clock: Clock) -> None:
    store = MemoryTicketStore(limit=3)
    for number in range(5):
        await store.put(f"{number}", b"x", 10)
    assert list(store._kept) == ["2", "3", "4"]
    clock.now += 11
    await store.put("new", b"x", 10)
    assert list(store._kept) == ["new"]
    assert await store.take("new") == b"x"
    assert await store.take("new") is None


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b"\xff",
        json.dumps({"user": ["uuid", "x"], "expires_at": None, "scopes": [], "state": {}}).encode(),
        json.dumps({"user": ["int", True], "expires_at": None, "scopes": [], "state": {}}).encode(),
        json.dumps({"user": ["int", 1], "expires_at": "soon", "scopes": [], "state": {}}).encode(),
        json.dumps({"user": 1, "expires_at": None, "scopes": [], "state": {}}).encode(),
        json.dumps({"user": ["int", 1], "expires_at": None, "scopes": "all", "state": {}}).encode(),
    ],
    ids=range(10),
)
async def test_what_the_store_makes_up_lets_nobody_in(poison: bytes) -> None:
    class Poisoned(MemoryTicketStore):
        async def take(self, key: str) -> bytes | None:
            return poison

    assert await Tickets(store=Poisoned()).redeem("x") is None


def test_a_plain_function_issues_too() -> None:
    office = Tickets()
    ticket = office.issue_sync(7)
    assert asyncio.run(office.redeem(ticket)) == Identity(user_id=7)


@pytest.mark.parametrize("lifetime", [0, -1, float("inf"), float("nan"), True, "30", None])
def test_a_lifetime_that_is_none_is_refused(lifetime: Any) -> None:
    with pytest.raises(ConfigurationError, match="a number of seconds above 0"):
        Tickets(lifetime=lifetime)


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        (AUTHENTICATE_LATER, TypeError),
        (object(), TypeError),
        (Identity(user_id=1, state={"a": object()}), TypeError),
        (Identity(user_id=1, state={"a": float("nan")}), ValueError),
    ],
    ids=range(4),
)
async def test_what_cannot_have_a_ticket_is_refused(identity: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await Tickets().issue(identity)


async def test_it_tells_the_log_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    office = Tickets()
    await office.redeem(await office.issue(1))
    assert [each for each in caplog.records if each.name.startswith("wsproto_core")] == []
