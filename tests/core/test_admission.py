"""Who comes in: draining, origin, authentication, limits; and the places that are held meanwhile."""

import asyncio
import logging
import time
from typing import Any
from uuid import UUID

import pytest

from tests.core.held import Gate
from tests.core.peer import V1, hub_of, opened, peer, until
from wsproto_core import (
    Admission,
    Audience,
    CloseCode,
    ConnectionInfo,
    Denial,
    Headers,
    Hub,
    Identity,
    Limits,
    Problem,
    Tickets,
    connection,
    everyone,
    room,
    user,
)
from wsproto_core.admission import close_code_of
from wsproto_core.codec import PLAIN, V1_JSON
from wsproto_core.errors import InvalidTopicError
from wsproto_core.security import ANY_ORIGIN, AUTHENTICATE_LATER
from wsproto_core.testing import MemoryTransport

INFO = ConnectionInfo()


async def admitted(hub: Hub, info: ConnectionInfo = INFO, **options: Any) -> Admission:
    admission = await hub.admit(info, **options)
    assert isinstance(admission, Admission), admission
    return admission


async def denied(hub: Hub, info: ConnectionInfo = INFO, **options: Any) -> Denial:
    denial = await hub.admit(info, **options)
    assert isinstance(denial, Denial)
    return denial


async def test_a_connection_is_admitted_with_an_id_that_cannot_be_guessed() -> None:
    hub = hub_of()
    ids = {(await admitted(hub)).connection_id for _ in range(100)}
    assert len(ids) == 100
    assert {UUID(each.partition(".")[2]).version for each in ids} == {4}


async def test_an_admission_carries_what_it_was_given() -> None:
    hub = hub_of()
    state = {"a": 1}
    admission = await admitted(hub, user_id=7, connection_id="mine", rooms=("lobby", room("bar")), state=state)
    assert admission.connection_id == "mine"
    assert admission.identity == Identity(7)
    assert admission.rooms == ("lobby", room("bar"))
    assert admission.state == state
    assert admission.state is not state
    assert not admission.used


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        (("chat",), None),
        ((V1_JSON,), V1_JSON),
        (("chat", V1_JSON), V1_JSON),
        (("access-token",), "access-token"),
        (("access-token", V1_JSON), V1_JSON),
    ],
)
async def test_the_subprotocol_is_chosen(offered: tuple[str, ...], chosen: str | None) -> None:
    admission = await admitted(hub_of(), ConnectionInfo(subprotocols=offered))
    assert admission.subprotocol == chosen
    assert admission.codec.subprotocol == (chosen if chosen == V1_JSON else None)
    assert (admission.codec is PLAIN) == (chosen != V1_JSON)


@pytest.mark.parametrize("connection_id", ["", 7.5, None])
async def test_a_connection_id_that_is_none_is_an_error(connection_id: Any) -> None:
    if connection_id is None:
        assert (await admitted(hub_of(), connection_id=None)).connection_id
        return
    with pytest.raises(InvalidTopicError):
        await hub_of().admit(INFO, connection_id=connection_id)


async def test_a_connection_id_is_taken_once() -> None:
    hub = hub_of()
    first = await admitted(hub, connection_id="mine")
    denial = await denied(hub, connection_id="mine")
    assert (denial.problem.code, denial.close_code) == ("conflict", CloseCode.POLICY_VIOLATION)
    hub.release(first)
    async with peer(hub, connection_id="mine"):
        assert (await denied(hub, connection_id="mine")).problem.code == "conflict"
    await admitted(hub, connection_id="mine")


async def test_places_are_limited_and_held_from_admission_to_the_end() -> None:
    hub = hub_of(limits=Limits(max_connections=2))
    async with peer(hub):
        second = await admitted(hub)
        denial = await denied(hub)
        assert (denial.problem.code, denial.problem.status) == ("unavailable", 503)
        assert denial.problem.retryable
        assert denial.close_code == CloseCode.TRY_AGAIN_LATER
        hub.release(second)
        hub.release(second)
        await admitted(hub)
        assert (await denied(hub)).problem.code == "unavailable"
    await admitted(hub)
    assert hub.stats().counters["refused"] == 2


async def test_without_a_limit_there_is_a_place_for_everybody() -> None:
    hub = hub_of(limits=Limits(max_connections=None))
    for _ in range(20):
        await admitted(hub)


async def test_places_of_a_user_are_limited() -> None:
    hub = hub_of(limits=Limits(max_connections_per_user=2))
    async with peer(hub, user_id=42):
        await admitted(hub, user_id="42")
        denial = await denied(hub, user_id=42)
        assert (denial.problem.code, denial.problem.status) == ("rate_limited", 429)
        assert denial.close_code == CloseCode.TRY_AGAIN_LATER
        await admitted(hub, user_id=43)
        for _ in range(5):
            await admitted(hub, user_id=None)


async def test_who_authenticates_later_comes_under_the_same_limit() -> None:
    hub = hub_of(limits=Limits(max_connections_per_user=1), authenticate=lambda info: info.token or AUTHENTICATE_LATER)
    async with peer(hub, user_id="ann"), peer(hub, V1, user_id=AUTHENTICATE_LATER) as second:
        problem = await second.ask("ws.authenticate", {"token": "ann"})
        assert (problem["code"], problem["status"]) == ("rate_limited", 429)
        assert (await second.ask("ws.authenticate", {"token": "bob"}))["payload"]["user_id"] == "bob"
        req_id = await second.send("ws.authenticate", {"token": "bob"})
        await second.end_of(req_id)
        assert (await second.ask("ws.authenticate", {"token": "bob"}))["event"] == "ws.authenticated"


async def test_nobody_comes_in_while_the_server_drains() -> None:
    hub = hub_of()
    await hub.drain()
    assert hub.draining
    denial = await denied(hub)
    assert (denial.problem.code, denial.close_code) == ("unavailable", CloseCode.TRY_AGAIN_LATER)
    hub.start()
    assert not hub.draining
    await admitted(hub)


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (None, True),
        ("https://good.example", True),
        ("null", False),
        ("https://evil.example", False),
        ("https://good.example.evil.example", False),
        ("http://good.example", False),
    ],
)
async def test_foreign_pages_are_refused_and_the_log_says_how_to_let_them_in(
    origin: str | None, passes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fields = {"Host": "good.example", **({"Origin": origin} if origin is not None else {})}
    info = ConnectionInfo(headers=Headers(fields), scheme="wss", path="/ws/", peer=("192.0.2.1", 1234))
    hub = hub_of()
    if passes:
        await admitted(hub, info)
        return
    denial = await denied(hub, info)
    assert (denial.problem.code, denial.problem.status) == ("forbidden", 403)
    assert denial.close_code == CloseCode.POLICY_VIOLATION
    [record] = [each for each in caplog.records if each.name == "wsproto_core.security"]
    assert record.levelno == logging.WARNING
    assert "expected https://good.example. Allow it with allowed_origins=[…]." in record.getMessage()
    assert vars(record).items() >= {"reason": "origin", "origin": origin, "peer": ("192.0.2.1", 1234)}.items()
    await admitted(hub_of(allowed_origins=ANY_ORIGIN), info)


async def test_what_the_host_knows_wins_over_authenticate() -> None:
    asked: list[ConnectionInfo] = []

    def authenticate(info: ConnectionInfo) -> int:
        asked.append(info)
        return 1

    hub = hub_of(authenticate=authenticate)
    assert (await admitted(hub, user_id=7)).identity == Identity(7)
    assert (await admitted(hub, user_id=None)).identity == Identity(None)
    assert asked == []
    assert (await admitted(hub)).identity == Identity(1)
    assert asked == [INFO]


@pytest.mark.parametrize(
    ("found", "identity"),
    [
        (None, Identity(None)),
        ("ann", Identity("ann")),
        (Identity("ann", scopes=frozenset({"x"})), Identity("ann", scopes=frozenset({"x"}))),
        (AUTHENTICATE_LATER, None),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_authenticate_says_who_it_is(found: Any, identity: Identity | None, asynchronous: bool) -> None:
    async def later(info: ConnectionInfo) -> Any:
        await asyncio.sleep(0)
        return found

    hub = hub_of(authenticate=later if asynchronous else lambda info: found)
    assert (await admitted(hub)).identity == identity


async def test_without_authenticate_everybody_is_anonymous() -> None:
    assert (await admitted(hub_of())).identity == Identity()


@pytest.mark.parametrize(
    ("status", "close_code"),
    [
        (401, CloseCode.UNAUTHORIZED),
        (403, CloseCode.FORBIDDEN),
        (429, CloseCode.TRY_AGAIN_LATER),
        (503, CloseCode.TRY_AGAIN_LATER),
        (500, CloseCode.INTERNAL_ERROR),
        (502, CloseCode.INTERNAL_ERROR),
        (400, CloseCode.POLICY_VIOLATION),
        (409, CloseCode.POLICY_VIOLATION),
    ],
)
async def test_authenticate_may_refuse_with_a_problem(status: int, close_code: int) -> None:
    def authenticate(info: ConnectionInfo) -> None:
        raise Problem("Not you.", status=status)

    denial = await denied(hub_of(authenticate=authenticate))
    assert (denial.problem.status, denial.problem.detail, denial.close_code) == (status, "Not you.", close_code)
    assert close_code_of(denial.problem) == close_code


@pytest.mark.parametrize("user_id", [True, 1.5, b"ann", object()])
async def test_what_is_no_user_id_is_an_error_of_the_host(user_id: Any) -> None:
    with pytest.raises(TypeError, match="user_id must be"):
        await hub_of().admit(INFO, user_id=user_id)


# Credentials in the URL


@pytest.mark.parametrize(
    "query", ["token=x", "a=1&access_token=x", "jwt=", "token", "to%6ben=x", "id_token=x&ticket=y"]
)
async def test_a_token_in_the_url_is_refused_with_the_ways_that_there_are(
    query: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub = hub_of(authenticate=lambda _: 1)
    denial = await denied(hub, ConnectionInfo(query=query))
    assert (denial.problem.code, denial.close_code) == ("unauthenticated", CloseCode.UNAUTHORIZED)
    assert "the subprotocols 'access-token' and TOKEN" in (denial.problem.detail or "")
    assert "a token in the query string. Allow it with query_token='…'" in caplog.text
    assert "=x" not in caplog.text


async def test_what_the_route_itself_made_of_the_url_is_its_own() -> None:
    await admitted(hub_of(authenticate=lambda _: 1), ConnectionInfo(query="token=x"), user_id=7)
    await admitted(hub_of(), ConnectionInfo(query="token=x"))


async def test_an_application_may_say_which_parameter_has_its_token() -> None:
    seen: list[tuple[str | None, str | None]] = []

    def authenticate(info: ConnectionInfo) -> int:
        seen.append((info.token, info.source))
        return 1

    hub = hub_of(authenticate=authenticate, query_token="token")
    await admitted(hub, ConnectionInfo(query="token=a%20b&x=1"))
    await admitted(hub, ConnectionInfo(query="token=a", token="header", source="bearer"))
    await admitted(hub, ConnectionInfo(query="x=1"))
    assert seen == [("a b", "query"), ("header", "bearer"), (None, None)]
    assert isinstance(await hub.admit(ConnectionInfo(query="jwt=a")), Denial)


async def test_a_ticket_lets_in_whom_it_was_issued_to_once() -> None:
    def authenticate(info: ConnectionInfo) -> int:
        raise Problem("Who are you?", code="unauthenticated")

    tickets = Tickets()
    hub = hub_of(authenticate=authenticate, tickets=tickets)
    ticket = await tickets.issue(Identity(user_id=42, scopes=frozenset({"a"})))
    info = ConnectionInfo(query=f"ticket={ticket}")
    admission = await admitted(hub, info)
    assert admission.identity == Identity(user_id=42, scopes=frozenset({"a"}))
    assert (admission.info.token, admission.info.source) == (ticket, "ticket")
    for again in (info, ConnectionInfo(query="ticket=x"), ConnectionInfo(query="ticket=%FF")):
        denial = await denied(hub, again)
        assert denial.problem.code == "unauthenticated"
        assert "ticket is not valid" in (denial.problem.detail or "")
    assert (await denied(hub, ConnectionInfo(query="ticket="))).problem.detail == "Who are you?"
    assert (await admitted(hub, ConnectionInfo(query="ticket=x"), user_id=7)).identity == Identity(7)


async def test_with_tickets_alone_nobody_gets_in_without_one() -> None:
    tickets = Tickets()
    hub = hub_of(tickets=tickets)
    denial = await denied(hub)
    assert (denial.problem.status, denial.problem.detail) == (401, "Get a ticket first, and connect with '?ticket=…'.")
    assert (await admitted(hub, ConnectionInfo(query=f"ticket={await tickets.issue(1)}"))).identity == Identity(1)
    assert (await admitted(hub, user_id=None)).identity == Identity()


async def test_without_tickets_it_is_a_parameter_like_any_other() -> None:
    assert (await admitted(hub_of(), ConnectionInfo(query="ticket=x"))).info.source is None


# Credentials that have ended


async def test_a_credential_that_ended_before_the_grace_lets_nobody_in() -> None:
    hub = hub_of(limits=Limits(credential_grace=5))
    denial = await denied(hub, user_id=Identity(1, expires_at=time.time() - 6))
    assert (denial.problem.code, denial.close_code) == ("unauthenticated", CloseCode.UNAUTHORIZED)
    await admitted(hub, user_id=Identity(1, expires_at=time.time() - 4))
    none = hub_of(limits=Limits(credential_grace=None))
    assert (await denied(none, user_id=Identity(1, expires_at=time.time() - 0.01))).problem.code == "unauthenticated"


async def test_who_is_refused_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="wsproto_core.security")

    def authenticate(info: ConnectionInfo) -> int:
        raise Problem("no", code="unauthenticated")

    await denied(hub_of(authenticate=authenticate), ConnectionInfo(token="SECRET", peer=("::1", 1)))
    await denied(hub_of(require_origin=True))
    full = hub_of(limits=Limits(max_connections=1))
    await admitted(full)
    await denied(full)
    reasons = [vars(each)["reason"] for each in caplog.records]
    assert reasons == ["credential", "origin", "limit"]
    assert "from ::1:1" in caplog.text
    assert "SECRET" not in caplog.text


async def test_who_is_disconnected_on_the_way_in_is_closed_at_once() -> None:
    hub = hub_of(on_connect=lambda context: pytest.fail("it is not let in"))
    for audience in (user(42), connection("mine")):
        banned = await admitted(hub, user_id=42, connection_id="mine")
        other = await admitted(hub, user_id=43)
        assert await hub.disconnect(audience, 3003, "Banned.") == 0
        transport = MemoryTransport()
        session = hub.open(transport, banned)
        while await transport.next_frame() is not None:
            pass
        assert (transport.close_code, transport.close_reason) == (3003, "Banned.")
        session.closed(3003)
        await session.finished()
        assert other.revoked is None
        hub.release(other)
    assert not hub.connections


@pytest.mark.parametrize("audience", [user(42), connection("mine"), everyone()], ids=str)
async def test_who_is_disconnected_while_it_authenticates_is_closed_at_once(audience: Audience) -> None:
    gate = Gate()

    async def authenticate(info: ConnectionInfo) -> int:
        await gate.wait()
        return 42

    hub = hub_of(authenticate=authenticate, on_connect=lambda context: pytest.fail("it is not let in"))
    opening = asyncio.create_task(opened(hub, connection_id="mine"))
    await until(lambda: gate.entered)
    await hub.disconnect(user(43), 3003, "Banned.")
    await hub.disconnect(audience, 3003, "Banned.")
    gate.open.set()
    client = await opening
    assert await client.cut() == (3003, "Banned.")
    await client.leave()
    assert not hub.gate._arriving


async def test_who_is_on_the_way_into_a_room_is_disconnected_with_it() -> None:
    hub = hub_of(on_connect=lambda context: pytest.fail("it is not let in"))
    admission = await admitted(hub, rooms=["a", room("b")])
    await hub.disconnect(room("c"), 3003)
    await hub.disconnect(room("b"), 3003, "Closed.")
    transport = MemoryTransport()
    session = hub.open(transport, admission)
    while await transport.next_frame() is not None:
        pass
    assert (transport.close_code, transport.close_reason) == (3003, "Closed.")
    session.closed(3003)
    await session.finished()
    assert not hub.gate._arriving


async def test_nothing_is_noted_for_those_who_are_in_or_never_come() -> None:
    def authenticate(info: ConnectionInfo) -> int:
        if info.token is None:
            raise ValueError("of a test")
        return int(info.token)

    hub = hub_of(authenticate=authenticate, limits=Limits(max_connections=1))
    with pytest.raises(ValueError, match="of a test"):
        await hub.admit(ConnectionInfo())
    async with peer(hub, user_id=1):
        assert not hub.gate._arriving
        await denied(hub, ConnectionInfo(token="2"))
        assert not hub.gate._arriving
    hub.release(await admitted(hub, ConnectionInfo(token="2")))
    assert not hub.gate._arriving


async def test_who_is_disconnected_while_it_says_who_it_is_is_closed_once_that_is_known() -> None:
    gate = Gate()

    async def authenticate(info: ConnectionInfo) -> object:
        if info.token is None:
            return AUTHENTICATE_LATER
        await gate.wait()
        return 42

    hub = hub_of(authenticate=authenticate)
    async with peer(hub) as client, peer(hub) as other:
        await client.send("ws.authenticate", {"token": "t"})
        await until(lambda: gate.entered)
        await hub.disconnect(user(42), 3003, "Banned.")
        await other.send("ws.authenticate", {"token": "t"})
        await until(lambda: gate.entered == 2)
        gate.open.set()
        assert await client.cut() == (3003, "Banned.")
        assert (await other.read())["event"] == "ws.authenticated"
        assert not hub.gate._arriving
