"""One process: its connections, emitting to them from anywhere, and its end."""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from tests.core.peer import PATIENCE, PLAIN, V1, Elsewhere, Peer, hub_of, opened, peer, until
from wsproto_core import (
    ActionContext,
    Admission,
    Audience,
    CloseCode,
    ConnectionInfo,
    Event,
    EventEnvelope,
    Hub,
    Identity,
    Limits,
    MemoryBackplane,
    Problem,
    Registry,
    Settings,
    UnserializableEventError,
    connection,
    default_registry,
    draining,
    room,
    topic,
    user,
)
from wsproto_core import hub as hub_module
from wsproto_core.security import AUTHENTICATE_LATER, NOT_GIVEN
from wsproto_core.testing import MemoryTransport
from wsproto_core.threaded import ThreadedSession

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""


class Raw:
    async def emit(self) -> EventEnvelope:
        return EventEnvelope(event="raw", recipient="room", recipient_id="lobby")


class Text(BaseModel):
    text: str


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Puts back the signal handlers of the process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def answers_close(*clients: Peer) -> None:
    """Have clients take part in the closing handshake."""
    for client in clients:
        client.transport.on_close = client.session.closed


# Opening


async def test_without_settings_it_serves_the_default_registry() -> None:
    hub = Hub()
    assert hub.registry is default_registry
    assert hub.settings == Settings()
    assert hub.limits == Limits()
    assert hub.id != Hub().id


async def test_it_knows_its_connections() -> None:
    hub = hub_of()
    assert hub.connections == {}
    async with peer(hub, rooms=["lobby", "bar"]) as one, peer(hub, user_id=1, rooms=["lobby"]) as two:
        await one.settled()
        await two.settled()
        assert dict(hub.connections) == {one.id: one.session, two.id: two.session}
        assert (hub.room_size("lobby"), hub.room_size("bar"), hub.room_size("none")) == (2, 1, 0)
        assert sorted(hub.rooms()) == ["bar", "lobby"]
        stats = hub.stats()
        assert (stats.connections, stats.opened, stats.topics) == (2, 2, 3)
        await hub.admit(ConnectionInfo(), connection_id=one.id)
    stats = hub.stats()
    assert (stats.connections, stats.opened, stats.topics, stats.counters) == (0, 2, 0, {"refused": 1})
    assert hub.connections == {}
    assert hub.rooms() == []


async def test_an_admission_opens_one_connection() -> None:
    hub = hub_of()
    admission = await hub.admit(ConnectionInfo())
    assert isinstance(admission, Admission)
    session = hub.open(MemoryTransport(), admission)
    with pytest.raises(ValueError, match="once"):
        hub.open(MemoryTransport(), admission)
    released = await hub.admit(ConnectionInfo())
    assert isinstance(released, Admission)
    hub.release(released)
    with pytest.raises(ValueError, match="once"):
        hub.open(MemoryTransport(), released)
    session.closed()
    await session.finished()


@pytest.mark.parametrize(
    ("user_id", "shown"),
    [
        (None, None),
        (7, 7),
        ("ann", "ann"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
async def test_the_first_event_says_what_the_connection_is(user_id: Any, shown: Any) -> None:
    async with peer(hub_of(), user_id=user_id, subprotocols=PLAIN) as plain:
        assert (await plain.ask("health"))["event"] == "health"
    hub = hub_of(limits=Limits(max_message_bytes=70_000))
    client = await opened(hub, V1, user_id=Identity(user_id, expires_at=2e9))
    ready = await client.read()
    assert (ready["event"], ready["seq"], ready["recipient"], ready["recipient_id"]) == (
        "ws.ready",
        1,
        "websocket",
        client.id,
    )
    assert ready["payload"] == {
        "connection_id": client.id,
        "user_id": shown,
        "ping_interval": None,
        "max_message_bytes": 70_000,
        "expires_at": 2e9,
    }
    await client.leave()


async def test_the_first_event_comes_first_whoever_else_has_something_to_say() -> None:
    """The backplane takes its time, and meanwhile somebody addresses the user."""

    class Slow(MemoryBackplane):
        async def start(self, receiver: Any) -> None:
            await go_on.wait()
            await super().start(receiver)

    go_on = asyncio.Event()
    hub = hub_of(backplane=Slow())
    client = await opened(hub, V1, user_id=7)
    assert await hub.emit(Said(), to=user(7)) == 1
    assert [(await client.read())["event"] for _ in range(2)] == ["ws.ready", "said"]
    go_on.set()
    assert (await client.ask("health"))["seq"] == 3
    await client.leave()
    await hub.stop()


async def test_an_id_is_free_again_when_its_connection_has_ended() -> None:
    hub = hub_of()
    async with peer(hub, connection_id="mine", rooms=["old"]) as first:
        await first.leave()
        async with peer(hub, connection_id="mine") as second:
            await first.context.join("late")
            assert hub.rooms() == []
            first.session.closed()
            assert hub.connections["mine"] is second.session


async def test_a_host_with_threads_opens_connections_of_its_own_kind() -> None:
    class Silent:
        """A transport that nothing comes from; what is written to it disappears."""

        info = ConnectionInfo()
        due = False
        close_code, close_reason = 1000, ""

        def write(self, frame: object) -> bool:
            return True

        def drop(self) -> None: ...

    hub = hub_of()
    admission = await hub.admit(ConnectionInfo())
    assert isinstance(admission, Admission)
    transport: Any = Silent()
    session = hub.open_threaded(transport, admission)
    assert isinstance(session, ThreadedSession)
    assert hub.connections == {session.id: session}
    with pytest.raises(ValueError, match="once"):
        hub.open_threaded(transport, admission)
    session.closed()
    await session.finished()
    assert hub.connections == {}


# on_connect


async def test_on_connect_may_greet_join_and_keep_state() -> None:
    async def on_connect(context: ActionContext) -> None:
        await context.join("lobby")
        context.state["greeted"] = True
        await context.emit(Said(text=f"welcome to {len(context.rooms)} rooms"))
        await context.emit(Said(text="a new one").to(room("lobby")))
        await context.emit(Raw())

    async with peer(hub_of(on_connect=on_connect), rooms=["bar"]) as client:
        texts = [(await client.read())["payload"].get("text") for _ in range(3)]
        assert texts == ["welcome to 2 rooms", "a new one", None]
        assert client.session.state == {"greeted": True}


async def test_a_plain_on_connect_will_do() -> None:
    seen: list[str] = []
    async with peer(hub_of(on_connect=lambda context: seen.append(context.connection_id))) as client:
        await client.settled()
        assert seen == [client.id]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem("Pay first.", status=402), CloseCode.POLICY_VIOLATION),
        (Problem("Not you.", code="forbidden"), CloseCode.FORBIDDEN),
        (Problem("Log in.", code="unauthenticated"), CloseCode.UNAUTHORIZED),
        (Problem("Too many.", code="unavailable"), CloseCode.TRY_AGAIN_LATER),
    ],
)
@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
async def test_on_connect_may_refuse(problem: Problem, code: int, subprotocols: tuple[str, ...]) -> None:
    async def on_connect(context: ActionContext) -> None:
        raise problem

    async with peer(hub_of(on_connect=on_connect), subprotocols) as client:
        await client.send("health")
        told = await client.read()
        assert (told["code"], told["detail"]) == (problem.code, problem.detail)
        assert await client.cut() == (code, problem.detail)


@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(3), asyncio.CancelledError()], ids=repr)
async def test_on_connect_that_fails_ends_the_connection_and_nothing_else(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_connect(context: ActionContext) -> None:
        raise error

    async with peer(hub_of(on_connect=on_connect)) as client:
        told = await client.read()
        assert told["code"] == "internal_error"
        assert "secret" not in str(told)
        assert await client.cut() == (CloseCode.INTERNAL_ERROR, "Something went wrong on the server.")
        assert f"on_connect failed for connection {client.id}" in caplog.text


async def test_a_disconnect_ends_on_connect_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    entered = asyncio.Event()

    async def on_connect(context: ActionContext) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with peer(hub_of(on_connect=on_connect)) as client:
        await entered.wait()
        await client.leave()
        assert client.unread() == []
    assert caplog.records == []


async def test_rooms_are_joined_and_left() -> None:
    hub = hub_of()
    async with peer(hub) as client:
        await client.context.join(room("a"))
        await client.context.join(topic("b"))
        assert hub.stats().topics == 2
        await client.context.leave(room("a"))
        assert hub.rooms() == []
        for audience in (user(1), connection("x"), 5):
            with pytest.raises(TypeError, match="A connection joins"):
                await client.context.join(audience)  # type: ignore[arg-type]


async def test_initial_rooms_are_authorised() -> None:
    asked: list[Audience] = []

    async def authorize(context: ActionContext, audience: Audience) -> bool:
        asked.append(audience)
        return audience.id != "closed"

    hub = hub_of(authorize_subscribe=authorize)
    async with peer(hub, rooms=["open", topic("news"), room("closed"), "never asked"]) as client:
        told = await client.read()
        assert (told["code"], told["detail"]) == ("forbidden", "You may not join this room.")
        assert (await client.cut())[0] == CloseCode.FORBIDDEN
    assert asked == [room("open"), topic("news"), room("closed")]


async def test_a_room_that_is_none_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with peer(hub_of(), rooms=[""]) as client:
        assert (await client.cut())[0] == CloseCode.INTERNAL_ERROR
    assert "InvalidTopicError" in caplog.text


# Emitting


async def test_it_emits_to_whoever_is_meant() -> None:
    hub = hub_of()
    async with peer(hub, user_id=UUID(int=1)) as one, peer(hub, user_id="42") as two, peer(hub, user_id=42) as three:
        assert await hub.emit(Said(), to=user(42)) == 2
        assert await hub.emit(Said(), to=[user(str(UUID(int=1))), connection(two.id)], exclude=two.id) == 1
        assert await hub.emit(Said(), to=user(42), exclude=[two.id]) == 1
        assert [len(await each.arrived()) for each in (one, two, three)] == [1, 1, 2]


async def test_nobody_is_needed_to_emit() -> None:
    hub = hub_of()
    assert await hub.emit(Said(), to=room("lobby")) == 0
    await asyncio.to_thread(hub.emit_sync, Said(), room("lobby"))
    await asyncio.to_thread(hub.emit_sync, Raw(), room("lobby"))


async def test_a_thread_reaches_the_other_hubs_although_nobody_is_connected_to_its_own() -> None:
    one, two = (hub_of(backplane="memory://hub-threads") for _ in range(2))
    async with peer(two, rooms=["lobby"]) as client:
        await client.settled()
        await asyncio.to_thread(one.emit_sync, Said(text="from afar"), room("lobby"))
        assert (await client.read())["payload"] == {"text": "from afar"}
    await one.stop()
    await two.stop()


async def test_what_fails_in_the_background_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    hub = hub_of()
    async with peer(hub):
        hub.emit_sync(Said(), to=Audience("unknown", "1"))
        await until(lambda: caplog.records)
        assert "something in the background failed" in caplog.text
        assert "There is no recipient 'unknown'" in caplog.text


async def test_the_first_loop_that_still_runs_does_what_a_thread_asks_for() -> None:
    hub = hub_of()
    with Elsewhere() as elsewhere:
        await elsewhere.run(opened(hub))
    registry = hub.registry

    @registry.recipient("all")
    def find(recipient_id: str) -> list[str]:
        return list(hub.connections)

    async with peer(hub) as client:
        await asyncio.to_thread(hub.emit_sync, Said(), Audience("all", "1"))
        assert (await client.read())["event"] == "said"


async def test_an_event_handler_makes_the_event() -> None:
    registry = Registry()

    @registry.event_handler("alert")
    def alert(payload: Text, hub: Hub) -> Said:
        return Said(text=f"{payload.text} {len(hub.connections)}")

    @registry.event_handler("later")
    async def later(payload: Text) -> list[Said | None]:
        return [Said(text="1").to(room("lobby")), None, Said(text="2").to(room("lobby"))]

    @registry.event_handler("nothing")
    def nothing() -> None: ...

    hub = hub_of(registry)
    async with peer(hub, rooms=["lobby"]) as client:
        await client.settled()
        assert await hub.trigger("alert", {"text": "fire"}, to=room("lobby")) == 1
        assert (await client.read())["payload"] == {"text": "fire 1"}
        assert await hub.trigger("later", Text(text="x")) == 2
        assert [(await client.read())["payload"]["text"] for _ in range(2)] == ["1", "2"]
        assert await hub.trigger("nothing", {"what": "ever"}) == 0
        with pytest.raises(ValidationError):
            await hub.trigger("alert", {"text": 7}, to=room("lobby"))
        with pytest.raises(LookupError, match=r"no event handler 'typo'; there are: \['alert', 'later', 'nothing'\]"):
            await hub.trigger("typo", {})


async def test_a_frame_is_sent_as_it_is() -> None:
    hub = hub_of()
    async with peer(hub) as client:
        assert await hub.send(client.id, "raw text")
        assert await hub.send(client.id, b"\xff")
        assert not await hub.send("unknown", "raw")
        assert await client.transport.next_frame() == "raw text"
        assert await client.transport.next_frame() == b"\xff"
        assert (await client.ask("health"))["seq"] == 1
        with Elsewhere() as elsewhere:
            assert await elsewhere.run(hub.send(client.id, "from afar"))
            assert await client.transport.next_frame() == "from afar"


async def test_connections_are_closed_by_audience() -> None:
    hub = hub_of()
    async with peer(hub, user_id=1, rooms=["a"]) as one, peer(hub, user_id=1) as two, peer(hub, user_id=2) as three:
        await one.settled()
        assert await hub.disconnect(room("a"), 4000, "Out.") == 1
        assert await one.cut() == (4000, "Out.")
        assert await hub.disconnect([user(1), connection(two.id)], reason="ä" * 99) == 2
        assert await two.cut() == (1000, "ä" * 61)
        assert await hub.disconnect(user(3)) == 0
        with pytest.raises(ValueError, match="1006 cannot be sent"):
            await hub.disconnect(user(2), 1006)
        with Elsewhere() as elsewhere:
            assert await elsewhere.run(hub.disconnect(user(2))) == 1
            assert await three.cut() == (1000, "")


async def test_connections_are_closed_from_any_thread() -> None:
    hub = hub_of()
    await asyncio.to_thread(hub.disconnect_sync, user(1), 4000, "Nobody is here.")
    async with peer(hub, user_id=1) as one, peer(hub, user_id=2) as two:
        await asyncio.to_thread(hub.disconnect_sync, user(1), 4000, "Out.")
        assert await one.cut() == (4000, "Out.")
        with pytest.raises(ValueError, match="1006 cannot be sent"):
            hub.disconnect_sync(user(2), 1006)
        hub.disconnect_sync(user(2), 4001, "You too.")
        assert await two.cut() == (4001, "You too.")


async def test_a_problem_travels_with_its_type_and_its_place() -> None:
    hub = hub_of(problem_type_base_url="/problems")
    text = hub.problem_text(Problem(status=409, code="taken"), ConnectionInfo(path="/chat"), "r")
    for member in ('"type":"/problems/taken"', '"instance":"/chat"', '"req_id":"r"', '"msg_id":"'):
        assert member in text
    with pytest.raises(UnserializableEventError):
        hub.problem_text(Problem(status=409, odd=float("nan")), ConnectionInfo())


# ws.authenticate


def by_token(info: ConnectionInfo) -> Any:
    """Take a token for the user's id; ``none`` and ``later`` are no users."""
    if info.token == "refused":
        raise Problem("This token was withdrawn.", code="unauthenticated")
    return {"none": None, "later": AUTHENTICATE_LATER, "renewed": Identity("ann", expires_at=2e9)}.get(
        info.token or "later", info.token
    )


async def test_a_connection_authenticates_later() -> None:
    hub = hub_of(authenticate=by_token)
    async with peer(hub, V1, user_id=NOT_GIVEN) as client:
        for token in ("none", "later", "refused"):
            assert (await client.ask("ws.authenticate", {"token": token}))["code"] == "unauthenticated"
        assert await hub.emit(Said(), to=user("ann")) == 0
        answer = await client.ask("ws.authenticate", {"token": "ann"})
        assert answer["event"] == "ws.authenticated"
        assert answer["payload"]["user_id"] == "ann"
        assert (await client.read())["event"] == "ws.complete"
        assert await hub.emit(Said(), to=user("ann")) == 1
        assert (await client.read())["recipient"] == "user"


async def test_a_connection_renews_its_credential_but_does_not_change_its_user() -> None:
    hub = hub_of(authenticate=by_token)
    async with peer(hub, user_id=Identity("ann", expires_at=time.time() + 100)) as client:
        assert (await client.ask("ws.authenticate", {"token": "renewed"}))["payload"] == {
            "user_id": "ann",
            "expires_at": 2e9,
        }
        assert (await client.ask("ws.authenticate", {"token": "bob"}))["code"] == "forbidden"
        assert (await client.ask("ws.authenticate", {"token": "none"}))["code"] == "unauthenticated"
        assert client.session.user_id == "ann"
        assert await hub.emit(Said(), to=user("ann")) == 1


async def test_an_anonymous_connection_may_become_somebodys() -> None:
    async def later(info: ConnectionInfo) -> Any:
        assert info.source == "message"
        return by_token(info)

    one, two = (hub_of(authenticate=later, backplane="memory://hub-authenticate") for _ in range(2))
    async with peer(one, user_id=None) as client:
        assert (await client.ask("ws.authenticate", {"token": "ann"}))["event"] == "ws.authenticated"
        assert await two.emit(Said(text="from afar"), to=user("ann")) == 0
        assert (await client.read())["payload"] == {"text": "from afar"}
    await one.stop()
    await two.stop()


async def test_who_authenticates_later_comes_under_the_limit_of_connections() -> None:
    hub = hub_of(authenticate=by_token, limits=Limits(max_connections_per_user=1))
    async with peer(hub, user_id="ann"), peer(hub, user_id=NOT_GIVEN) as second:
        assert (await second.ask("ws.authenticate", {"token": "ann"}))["code"] == "rate_limited"
        assert second.session.user_id is None
        assert not second.session.authenticated


async def test_a_request_is_cancelled_through_the_context_of_another() -> None:
    hub = hub_of(waiting_registry(asyncio.Event()))
    async with peer(hub, V1) as client:
        req_id = await client.send("wait")
        hub.cancel_request(ActionContext(client.session), req_id)
        assert (await client.read())["code"] == "cancelled"


async def test_without_authenticate_there_is_nobody_to_ask() -> None:
    async with peer(hub_of()) as client:
        problem = await client.ask("ws.authenticate", {"token": "x"})
        assert (problem["code"], problem["detail"]) == (
            "unauthenticated",
            "This server does not authenticate by message.",
        )


async def test_who_has_gone_is_not_authenticated() -> None:
    hub = hub_of(authenticate=by_token)
    async with peer(hub) as client:
        context: ActionContext[Any] = ActionContext(client.session)
    with pytest.raises(Problem):
        await hub.authenticate_message(context, "ann")
    hub.cancel_request(context, "0b6a3d1e-0000-4000-8000-00000000000a")


# Between hubs of one process


async def test_rooms_and_users_reach_across_hubs_that_share_a_name() -> None:
    one, two, other = (hub_of(backplane=f"memory://hub-{name}") for name in ("shared", "shared", "alone"))
    async with (
        peer(one, user_id=1, rooms=["lobby"]) as here,
        peer(two, user_id=1, rooms=["lobby"]) as there,
        peer(other, user_id=1, rooms=["lobby"]) as nowhere,
    ):
        for client in (here, there, nowhere):
            await client.settled()
        assert await one.emit(Said(text="room"), to=room("lobby")) == 1
        assert await two.emit(Said(text="user"), to=user(1)) == 1
        assert [(await here.read())["payload"]["text"] for _ in range(2)] == ["room", "user"]
        assert [(await there.read())["payload"]["text"] for _ in range(2)] == ["room", "user"]
        await there.context.leave("lobby")
        await one.emit(Said(text="left"), to=room("lobby"))
        await one.emit(Said(text="last"), to=user(1))
        assert (await there.read())["payload"]["text"] == "last"
        assert nowhere.unread() == []
    for hub in (one, two, other):
        await hub.stop()


async def test_who_joins_while_the_last_one_leaves_is_not_forgotten() -> None:
    one, two = (hub_of(backplane="memory://hub-race") for _ in range(2))
    async with peer(one, rooms=["lobby"]) as first, peer(one) as second:
        await first.settled()
        await second.settled()
        first.session.closed()
        await second.context.join("lobby")
        await until(lambda: not one._background)
        await two.emit(Said(), to=room("lobby"))
        assert (await second.read())["event"] == "said"
    await one.stop()
    await two.stop()


# Draining


def waiting_registry(release: asyncio.Event) -> Registry:
    registry = Registry()

    @registry.action("wait")
    async def wait() -> Said:
        await release.wait()
        return Said(text="done")

    return registry


async def test_a_drain_lets_running_actions_end_and_closes_everybody() -> None:
    release = asyncio.Event()
    hub = hub_of(waiting_registry(release))
    async with peer(hub, V1) as busy, peer(hub) as idle:
        answers_close(busy, idle)
        req_id = await busy.send("wait")
        await until(lambda: busy.session._serial)
        draining = asyncio.create_task(hub.drain())
        assert await idle.cut() == (CloseCode.SERVICE_RESTART, "The server restarts.")
        assert not draining.done()
        assert busy.transport.close_code is None
        assert hub.draining
        release.set()
        assert (await busy.end_of(req_id))["event"] == "ws.complete"
        assert await busy.cut() == (CloseCode.SERVICE_RESTART, "The server restarts.")
        await draining
        assert hub.connections == {}
        await hub.drain()


async def test_a_drain_tells_those_that_do_not_end_in_time() -> None:
    hub = hub_of(waiting_registry(asyncio.Event()), limits=Limits(drain_timeout=0.01))
    async with peer(hub, V1) as one, peer(hub, V1) as two:
        answers_close(one, two)
        req_ids = [await client.send("wait") for client in (one, two)]
        await hub.drain(CloseCode.GOING_AWAY, "Bye.")
        for client, req_id in zip((one, two), req_ids, strict=True):
            assert (await client.end_of(req_id))["code"] == "unavailable"
            assert await client.cut() == (CloseCode.GOING_AWAY, "Bye.")


async def test_a_drain_answers_what_waits_that_it_is_too_late() -> None:
    release = asyncio.Event()
    hub = hub_of(waiting_registry(release))
    async with peer(hub, V1) as client:
        answers_close(client)
        running, waiting = await client.send("wait"), await client.send("wait")
        draining = asyncio.create_task(hub.drain())
        await until(lambda: hub.draining)
        release.set()
        assert (await client.end_of(running))["event"] == "ws.complete"
        assert (await client.end_of(waiting))["code"] == "unavailable"
        await draining


async def test_a_drain_closes_all_connections_at_once() -> None:
    """Each closing handshake takes longer than there would be time for one after the other."""
    loop = asyncio.get_running_loop()
    closing = 0
    most = 0

    class Slow(MemoryTransport):
        async def close(self, code: int, reason: str) -> None:
            nonlocal closing, most
            closing += 1
            most = max(most, closing)
            done = loop.create_future()
            loop.call_later(0.02, done.set_result, None)
            await done
            closing -= 1
            await super().close(code, reason)

    hub = hub_of()
    answers_close(*[await opened(hub, transport=Slow) for _ in range(20)])
    await hub.drain()
    assert most == 20
    assert hub.connections == {}


async def test_a_drain_does_not_wait_for_ever_for_clients_that_do_not_close() -> None:
    hub = hub_of(limits=Limits(drain_timeout=0.01))
    async with peer(hub) as client:
        await hub.drain()
        assert client.transport.close_code == CloseCode.SERVICE_RESTART


async def test_a_drain_has_an_end_whatever_the_hooks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "_MARGIN", 0.01)
    release = asyncio.Event()

    async def on_disconnect(context: ActionContext) -> None:
        await release.wait()

    hub = hub_of(on_disconnect=on_disconnect, limits=Limits(drain_timeout=0.01))
    async with peer(hub) as client:
        answers_close(client)
        async with asyncio.timeout(5):
            await hub.drain()
        release.set()


async def test_a_drain_without_a_limit_waits_for_all() -> None:
    release = asyncio.Event()
    hub = hub_of(waiting_registry(release), limits=Limits(drain_timeout=None))
    async with peer(hub) as client:
        answers_close(client)
        await client.send("wait")
        draining = asyncio.create_task(hub.drain())
        await until(lambda: hub.draining)
        assert not draining.done()
        release.set()
        await draining
        assert (await client.read())["event"] == "said"


async def test_a_drain_reaches_connections_on_other_loops() -> None:
    hub = hub_of(limits=Limits(drain_timeout=5))
    with Elsewhere() as elsewhere:
        far = await elsewhere.run(opened(hub))
        answers_close(far)
        async with peer(hub) as near:
            answers_close(near)
            await hub.drain()
            assert near.transport.close_code == far.transport.close_code == CloseCode.SERVICE_RESTART
            assert hub.connections == {}


async def test_a_drain_passes_over_connections_whose_loop_has_been_closed() -> None:
    hub = hub_of()
    with Elsewhere() as elsewhere:
        await elsewhere.run(opened(hub))
    assert len(hub.connections) == 1
    async with peer(hub) as client:
        answers_close(client)
        await hub.drain()
        assert client.transport.close_code == CloseCode.SERVICE_RESTART
    assert hub.connections == {}


async def test_some_connections_are_drained_while_the_hub_goes_on() -> None:
    hub = hub_of()
    async with peer(hub) as leaving, peer(hub) as staying:
        answers_close(leaving)
        await hub.drain_connections([leaving.session])
        assert await leaving.cut() == (CloseCode.GOING_AWAY, "The server goes away.")
        assert (await staying.ask("health"))["event"] == "health"
        assert not hub.draining


async def test_a_drain_waits_for_what_runs_in_the_background() -> None:
    hub = hub_of(limits=Limits(drain_timeout=0.01))
    release = asyncio.Event()
    done: list[bool] = []

    async def work() -> None:
        await release.wait()
        done.append(True)

    hub.background(work(), asyncio.get_running_loop())
    await hub.drain()
    assert done == []
    draining = asyncio.create_task(hub.drain())
    release.set()
    await draining
    assert done == [True]


async def test_what_runs_in_the_background_may_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    hub = hub_of()
    hub.background(asyncio.Event().wait(), asyncio.get_running_loop())  # type: ignore[arg-type]
    [task] = hub._background
    task.cancel()
    await until(lambda: not hub._background)
    assert caplog.records == []


# Stopping


async def test_a_stop_lets_everything_go_and_a_start_begins_anew() -> None:
    hub = hub_of(backplane="memory://hub-stop")
    async with peer(hub) as client:
        answers_close(client)
        workers = hub.workers
        assert hub.workers is workers
        assert await asyncio.wrap_future(workers.submit(threading.get_ident)) != threading.get_ident()
        await hub.stop()
        assert client.transport.close_code == CloseCode.SERVICE_RESTART
        with pytest.raises(RuntimeError):
            workers.submit(threading.get_ident)
    hub.start()
    async with peer(hub) as client:
        assert (await client.ask("health"))["event"] == "health"
        assert hub.workers is not workers
    await hub.stop()


async def test_a_start_finds_what_is_wrong_with_the_payloads() -> None:
    class Broken(BaseModel):
        field: "Undefined"  # type: ignore[name-defined]  # noqa: F821

    registry = Registry()

    @registry.action("act")
    async def act(payload: Broken) -> None: ...

    with pytest.raises(PydanticUserError, match="not fully defined"):
        hub_of(registry).start()


async def test_threads_share_one_pool_of_workers() -> None:
    hub = hub_of()
    pools: list[Any] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        barrier.wait(PATIENCE)
        pools.append(hub.workers)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, pools))) == 1
    await hub.stop()


async def test_a_pool_that_another_thread_made_meanwhile_is_taken() -> None:
    hub = hub_of()
    pool = ThreadPoolExecutor()

    class Overtaken:
        def __enter__(self) -> None:
            hub._workers = pool

        def __exit__(self, *_: object) -> None: ...

    hub._lock = Overtaken()  # type: ignore[assignment]
    assert hub.workers is pool
    await hub.stop()


async def test_the_parent_process_is_watched_until_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watch:
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    watch = Watch()
    followed: list[Any] = []

    def follow(drain: Any, loop: Any) -> Watch:
        followed.append((drain, loop))
        return watch

    monkeypatch.setattr(hub_module.ParentWatch, "follow", follow)
    hub = hub_of()
    hub.install_signal_handlers()
    assert followed == [(hub.drain, asyncio.get_running_loop())]
    await hub.stop()
    assert watch.stopped


async def test_the_signals_begin_a_drain_where_that_is_wanted() -> None:
    called: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    hub = hub_of(install_signal_handlers=True)
    hub.install_signal_handlers()
    hub.install_signal_handlers()
    async with peer(hub) as client:
        answers_close(client)
        signal.raise_signal(signal.SIGTERM)
        assert (await client.cut())[0] == CloseCode.SERVICE_RESTART
        await until(lambda: called)
    await hub.stop()
    signal.raise_signal(signal.SIGTERM)
    assert called == [signal.SIGTERM, signal.SIGTERM]
    assert hub._signals is None


async def test_the_signals_are_left_alone_where_that_is_wanted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    hub = hub_of(install_signal_handlers=False)
    hub.install_signal_handlers()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_what_is_to_be_discovered_is_discovered_unless_it_is_switched_off(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hub_discovers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "actions.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert hub_of(autodiscover=False).discover(["hub_discovers"]) == ()
        assert "hub_discovers.actions" in hub_of().discover(["hub_discovers"])
    finally:
        for name in [name for name in sys.modules if name.startswith("hub_discovers")]:
            del sys.modules[name]


async def test_what_is_discovered_can_be_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "hub_names/__init__",
        "hub_names/actions",
        "hub_names/sockets",
        "hub_plugins/__init__",
        "hub_plugins/deep",
    ):
        file = tmp_path / f"{module}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        hub = hub_of(autodiscover_modules=["sockets"], autodiscover_packages=["hub_plugins"])
        found = hub.discover(["hub_names"])
        assert {"hub_names.sockets", "hub_plugins.deep"} <= set(found)
        assert "hub_names.actions" not in found
    finally:
        for name in [name for name in sys.modules if name.startswith(("hub_names", "hub_plugins"))]:
            del sys.modules[name]
