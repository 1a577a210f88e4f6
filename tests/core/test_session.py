"""One connection: its inbox and its order, what stops it, its numbering, and its end."""

import asyncio
import time
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from tests.core.held import Gate, Said, held_registry
from tests.core.peer import PLAIN, V1, envelope, hub_of, peer, until
from wsproto_core import (
    ActionContext,
    CloseCode,
    Event,
    Identity,
    Limits,
    Problem,
    Registry,
    connection,
    room,
    topic,
)
from wsproto_core.codec import JsonCodec
from wsproto_core.encoding import EncodedEvent
from wsproto_core.errors import UnserializableEventError
from wsproto_core.ids import new_id
from wsproto_core.security import AUTHENTICATE_LATER, NOT_GIVEN
from wsproto_core.testing import MemoryTransport, captured

# Size


@pytest.mark.parametrize("make", [str, str.encode], ids=["text", "binary"])
async def test_a_message_over_the_limit_gets_its_problem_and_the_close_code(make: Any) -> None:
    async with peer(hub_of(limits=Limits(max_message_bytes=1_000))) as client:
        exact = envelope("health", zzz="")
        exact = envelope("health", zzz="x" * (1_000 - len(exact)))
        assert len(exact) == 1_000
        await client.raw(make(exact))
        assert (await client.read())["event"] == "health"
        await client.raw(make(exact + " "))
        problem = await client.read()
        assert (problem["code"], problem["status"]) == ("message_too_large", 413)
        assert (await client.cut())[0] == CloseCode.MESSAGE_TOO_BIG


async def test_the_size_of_text_is_that_of_its_utf_8() -> None:
    async with peer(hub_of(limits=Limits(max_message_bytes=1_000))) as client:
        await client.raw(envelope("health", zzz="x" * 500))
        assert (await client.read())["event"] == "health"
        await client.raw(envelope("health").replace("health", "é" * 500))
        assert (await client.read())["code"] == "message_too_large"


async def test_lone_surrogates_count_as_what_they_would_be_and_are_refused_for_what_they_are() -> None:
    async with peer(hub_of(limits=Limits(max_message_bytes=1_000))) as client:
        await client.raw("\ud800" * 300)
        assert (await client.read())["code"] == "invalid_websocket_message"
        await client.raw("\ud800" * 400)
        assert (await client.read())["code"] == "message_too_large"


async def test_without_a_limit_any_size_is_taken() -> None:
    async with peer(hub_of(limits=Limits(max_message_bytes=None))) as client:
        await client.raw(envelope("health", zzz="x" * 2_000_000))
        assert (await client.read())["event"] == "health"


async def test_nothing_is_taken_after_the_server_has_closed() -> None:
    async with peer(hub_of()) as client:
        client.session.close(1000, "Bye.")
        await client.send("health")
        assert await client.cut() == (1000, "Bye.")
        assert client.unread() == []


# The protocol's own events


async def test_only_who_opted_in_gets_ready_and_complete() -> None:
    gate = Gate()
    hub = hub_of(held_registry(gate))
    async with peer(hub, PLAIN) as plain:
        assert (await plain.ask("say"))["event"] == "said"
        assert (await plain.ask("say"))["seq"] == 2
        plain.session.announce("ws.drain", {"retry_after": 1})
        assert plain.unread() == []
    async with peer(hub, V1) as modern:
        said = await modern.ask("say")
        complete = await modern.read()
        assert [said["event"], complete["event"]] == ["said", "ws.complete"]
        assert (said["seq"], complete["seq"]) == (2, 3)
        assert complete["payload"] == {"events": 1}
        assert (complete["recipient"], complete["recipient_id"]) == ("websocket", modern.id)
        modern.session.announce("ws.drain", {"retry_after": 1})
        assert (await modern.read())["payload"] == {"retry_after": 1}


async def test_a_problem_ends_a_request_alone() -> None:
    async with peer(hub_of(), V1) as client:
        unknown = await client.send("nothing")
        assert (await client.read())["req_id"] == unknown
        assert (await client.ask("health"))["event"] == "health"


async def test_what_a_problem_cannot_carry_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()

    @registry.action("broken")
    async def broken() -> None:
        raise Problem(status=409, code="odd", distance=float("nan"))

    async with peer(hub_of(registry)) as client:
        problem = await client.ask("broken")
        assert problem["code"] == "internal_error"
        [record] = [each for each in caplog.records if each.name == "wsproto_core.dispatcher"]
        assert record.msg_id == problem["msg_id"]


@pytest.mark.parametrize("error", [KeyError("secret"), SystemExit(3), RecursionError("deep")], ids=repr)
@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
async def test_a_validator_that_fails_in_its_own_way_is_an_internal_error(
    error: BaseException, subprotocols: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    class Checked(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def check(cls, value: str) -> str:
            raise error

    registry = Registry()

    @registry.action("checked")
    async def checked(payload: Checked) -> None: ...

    async with peer(hub_of(registry), subprotocols) as client:
        req_id = await client.send("checked", {"text": "x"})
        problem = await client.read()
        assert (problem["code"], problem["req_id"]) == ("internal_error", req_id)
        assert "secret" not in str(problem)
        [record] = caplog.records
        assert (
            vars(record).items()
            >= {
                "connection_id": client.id,
                "action": "checked",
                "req_id": req_id,
                "msg_id": problem["msg_id"],
            }.items()
        )
        assert record.exc_info
        assert record.exc_info[1] is error
        assert (await client.ask("health"))["event"] == "health"


async def test_what_is_observed_is_what_is_sent() -> None:
    async with peer(hub_of()) as client:
        with captured(client.hub) as seen:
            answer = await client.ask("health")
        assert [(each.msg_id, each.event, each.recipient_id) for each in seen] == [
            (answer["msg_id"], "health", client.id)
        ]


async def test_an_event_to_others_too_reaches_the_asker_with_its_req_id_and_the_others_without() -> None:
    registry = Registry()

    @registry.action("tell")
    async def tell(context: ActionContext) -> Said:
        return Said(text="all").to(room("all"))

    hub = hub_of(registry)
    async with peer(hub, rooms=["all"]) as asker, peer(hub, rooms=["all"]) as other:
        await until(lambda: hub.room_size("all") == 2)
        req_id = await asker.send("tell")
        asked, told = await asker.read(), await other.read()
        assert asked.pop("req_id") == req_id
        assert "req_id" not in told
        assert asked == told
        assert (told["recipient"], told["recipient_id"], told["seq"]) == ("room", "all", 1)


# Slow clients


async def test_a_client_that_does_not_read_is_cut_and_the_others_get_everything() -> None:
    hub = hub_of(limits=Limits(outbox_messages=100))
    async with peer(hub, rooms=["all"]) as slow, peer(hub, rooms=["all"]) as quick:
        slow.transport.stop_reading()
        await until(lambda: hub.room_size("all") == 2)
        reached = [await hub.emit(Said(text=str(number)), to=room("all")) for number in range(300)]
        assert reached[0] == 2
        assert reached[-1] == 1
        answers = [await quick.read() for _ in range(300)]
        assert [answer["seq"] for answer in answers] == list(range(1, 301))
        slow.transport.resume_reading()
        code, reason = await slow.cut()
        assert code == CloseCode.TRY_AGAIN_LATER
        assert reason
        assert "outbox" in reason
        assert hub.stats().counters["slow_consumers"] == 1


async def test_a_client_that_does_not_read_for_the_send_time_out_is_cut() -> None:
    hub = hub_of(limits=Limits(send_timeout=0.01))
    async with peer(hub) as client:
        client.transport.stop_reading()
        await client.send("health")
        assert (await client.cut())[0] == CloseCode.TRY_AGAIN_LATER


async def test_a_client_that_pipelines_and_does_not_read_is_held_back() -> None:
    hub = hub_of(limits=Limits(outbox_messages=5, inbox=5))
    async with peer(hub) as client:
        client.transport.stop_reading()
        sent = 0

        async def pipeline() -> None:
            nonlocal sent
            for _ in range(100):
                await client.send("health")
                sent += 1

        pipelining = asyncio.create_task(pipeline())
        await until(lambda: client.session._room is not None)
        assert sent < 15
        client.transport.resume_reading()
        await pipelining
        assert [(await client.read())["seq"] for _ in range(100)] == list(range(1, 101))


async def test_an_invalid_message_of_a_client_that_does_not_read_waits_for_it() -> None:
    async with peer(hub_of()) as client:
        client.transport.stop_reading()
        await client.raw("1")
        await client.raw("2")
        await until(lambda: client.session._outbox.writing)
        assert client.session._serial is not None
        client.transport.resume_reading()
        assert [(await client.read())["code"] for _ in range(2)] == ["invalid_websocket_message"] * 2


async def test_a_connection_that_cannot_be_written_to_is_given_up() -> None:
    class Broken(MemoryTransport):
        async def send(self, frame: str | bytes) -> None:
            raise ConnectionResetError("gone")

    async with peer(hub_of(), transport=Broken) as client:
        await client.send("health")
        assert (await client.cut())[0] == CloseCode.INTERNAL_ERROR


# The end


async def test_a_disconnect_cancels_what_runs_drops_what_waits_and_is_told_once() -> None:
    gate = Gate()
    ends: list[tuple[str, int, str]] = []

    async def on_disconnect(context: ActionContext, code: int, reason: str) -> None:
        ends.append((context.connection_id, code, reason))

    hub = hub_of(held_registry(gate, concurrency=2), on_disconnect=on_disconnect)
    async with peer(hub) as client:
        for _ in range(3):
            await client.send("held")
        await until(lambda: gate.entered == 2)
        client.session.closed(1001, "tab closed")
        client.session.closed(1006, "again")
        assert client.id not in hub.connections
        await client.session.finished()
        assert gate.cancelled == 2
        assert gate.entered == 2
        await client.send("held")
        client.session.closed()
        await client.session.finished()
    assert ends == [(client.id, 1001, "tab closed")]
    assert client.unread() == []


async def test_a_disconnect_lets_go_of_a_handler_whose_answer_is_stuck() -> None:
    gate = Gate()
    left = asyncio.Event()
    registry = held_registry(gate)

    @registry.action("stuck")
    async def stuck(context: ActionContext) -> None:
        try:
            await context.emit(Said())
        finally:
            left.set()

    for action in ("stuck", "say"):
        async with peer(hub_of(registry)) as client:
            client.transport.stop_reading()
            await client.send(action)
            await until(lambda: client.session._outbox.writing)
            call = client.session._serial
            assert call is not None
            client.session.closed()
            async with asyncio.timeout(1):
                await client.session.finished()
            assert call.task.done()
    assert left.is_set()


async def test_without_a_close_frame_the_code_is_1006() -> None:
    ends: list[int] = []

    async with peer(hub_of(on_disconnect=lambda _, code: ends.append(code))) as client:
        client.session.closed()
    assert ends == [1006]


async def test_the_code_that_the_server_closed_with_is_the_one_that_counts() -> None:
    ends: list[tuple[int, str]] = []

    def on_disconnect(_: ActionContext, code: int, reason: str) -> None:
        ends.append((code, reason))

    async with peer(hub_of(on_disconnect=on_disconnect)) as client:
        client.session.close(3003, "Not here.")
        client.session.close(1000, "a second time")
        assert await client.cut() == (3003, "Not here.")
        client.session.closed(1000, "as the client echoes it")
    assert ends == [(3003, "Not here.")]
    assert (client.session.close_code, client.session.close_reason) == (3003, "Not here.")


async def test_what_was_queued_is_written_before_the_close() -> None:
    registry = Registry()

    @registry.action("bye")
    async def bye(context: ActionContext) -> Said:
        await context.close(1000, "Bye.")
        return Said(text="not any more")

    async with peer(hub_of(registry)) as client:
        client.transport.stop_reading()
        for _ in range(3):
            await client.hub.emit(Said(), to=connection(client.id))
        await client.send("bye")
        client.transport.resume_reading()
        assert [(await client.read())["seq"] for _ in range(3)] == [1, 2, 3]
        assert await client.cut() == (1000, "Bye.")


async def test_a_close_reason_is_cut_to_what_a_close_frame_carries() -> None:
    async with peer(hub_of()) as client:
        client.session.close(1000, "ä" * 100)
        assert await client.cut() == (1000, "ä" * 61)


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 2000, 5000])
async def test_a_code_that_may_not_be_sent_is_refused(code: int) -> None:
    async with peer(hub_of()) as client:
        with pytest.raises(ValueError, match="cannot be sent as a close code"):
            await client.session.close_soon(code, "")
        assert client.session.is_open


async def test_the_closing_handshake_does_not_wait_for_ever(short_close: None) -> None:
    class Stuck(MemoryTransport):
        async def close(self, code: int, reason: str) -> None:
            await super().close(code, reason)
            await asyncio.Event().wait()

    async with peer(hub_of(), transport=Stuck) as client:
        client.transport.stop_reading()
        await client.hub.emit(Said(), to=connection(client.id))
        client.session.close(1000, "")
        assert await client.cut() == (1000, "")
        await until(lambda: not client.hub._background)


async def test_on_disconnect_that_fails_is_logged_with_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def on_disconnect() -> None:
        raise ValueError("of the application")

    async with peer(hub_of(on_disconnect=on_disconnect)) as client:
        pass
    [record] = caplog.records
    assert client.id in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_on_disconnect_harms_only_itself(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def on_disconnect() -> None:
        raise error

    async with peer(hub_of(on_disconnect=on_disconnect)):
        pass
    assert "on_disconnect failed" in caplog.text


async def test_a_loop_that_is_torn_down_may_end_on_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    async with peer(hub_of(on_disconnect=gate.wait)) as client:
        client.session.closed()
        await until(lambda: gate.entered)
        ending = client.session._ending
        assert ending is not None
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        client.session._ending = None
    assert caplog.records == []


async def test_on_disconnect_has_the_time_of_an_action(caplog: pytest.LogCaptureFixture) -> None:
    async def on_disconnect(context: ActionContext) -> None:
        await asyncio.Event().wait()

    async with peer(hub_of(on_disconnect=on_disconnect, limits=Limits(action_timeout=0.01))):
        pass
    assert "on_disconnect failed" in caplog.text


async def test_on_disconnect_sees_what_the_connection_was() -> None:
    seen: list[Any] = []

    def on_disconnect(context: ActionContext) -> None:
        seen.append((context.user_id, context.rooms, context.state))

    hub = hub_of(on_disconnect=on_disconnect)
    async with peer(hub, user_id=7, state={"a": 1}) as client:
        await client.context.join("lobby", room(42), topic("news"))
    assert seen == [(7, {"lobby", "42"}, {"a": 1})]


async def test_a_handler_that_ignores_the_disconnect_does_not_hold_up_the_end(short_close: None) -> None:
    release = asyncio.Event()
    entered = asyncio.Event()
    ends: list[int] = []
    registry = Registry()

    @registry.action("stubborn")
    async def stubborn() -> Said:
        entered.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Said()

    async with peer(hub_of(registry, on_disconnect=lambda _, code: ends.append(code)), V1) as client:
        await client.send("stubborn")
        await entered.wait()
        await client.leave(1001)
        assert ends == [1001]
        task = client.session._serial.task
        release.set()
        await until(task.done)
    assert client.unread() == []


async def test_finished_returns_at_once_while_the_connection_is_open() -> None:
    async with peer(hub_of()) as client:
        await client.session.finished()


async def test_nothing_is_sent_after_the_end() -> None:
    async with peer(hub_of(), V1) as client:
        await client.leave()
        event = EncodedEvent(new_id(), "said", "{}")
        await client.session.answer(event, client.session.own_members)
        assert client.session.push(event, client.session.own_members) is False
        assert client.session.push_raw("raw") is False
        await client.session.end(None, Problem(status=400))
        assert client.unread() == []


# Before the first message


async def test_messages_wait_until_on_connect_has_run() -> None:
    gate = Gate()

    async def on_connect(context: ActionContext) -> None:
        await gate.wait()
        await context.emit(Said(text="welcome"))

    async with peer(hub_of(on_connect=on_connect)) as client:
        await client.send("health")
        await until(lambda: gate.entered)
        assert client.unread() == []
        gate.open.set()
        assert [(await client.read())["event"] for _ in range(2)] == ["said", "health"]


async def test_a_disconnect_cancels_on_connect() -> None:
    gate = Gate()
    ends = 0

    async def on_connect(context: ActionContext) -> None:
        await gate.wait()

    def on_disconnect() -> None:
        nonlocal ends
        ends += 1

    async with peer(hub_of(on_connect=on_connect, on_disconnect=on_disconnect)) as client:
        await client.send("health")
        await until(lambda: gate.entered)
    assert gate.cancelled == 1
    assert ends == 1


async def test_a_refusal_is_told_before_the_close() -> None:
    def on_connect(context: ActionContext) -> None:
        raise Problem("The club is full; come back later.", status=403, code="full")

    async with peer(hub_of(on_connect=on_connect)) as client:
        await client.send("health")
        assert (await client.read())["code"] == "full"
        assert await client.cut() == (CloseCode.FORBIDDEN, "The club is full; come back later.")
        assert client.unread() == []


async def test_a_refusal_that_cannot_be_told_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def on_connect(context: ActionContext) -> None:
        raise Problem(status=403, code="full", at=float("inf"))

    async with peer(hub_of(on_connect=on_connect)) as client:
        assert (await client.read())["code"] == "internal_error"
        assert await client.cut() == (CloseCode.FORBIDDEN, "Something went wrong on the server.")
    assert "cannot be told why" in caplog.text


class Banned(Problem):
    """Lacks what every problem has: its author forgot to call ``super().__init__``."""

    status = 403
    code = "banned"

    def __init__(self, user_id: object) -> None:
        self.user_id = user_id


class Odd(Problem):
    status: Any = "forbidden"

    def __init__(self) -> None: ...


@pytest.mark.parametrize(("problem", "code"), [(Banned(1), CloseCode.FORBIDDEN), (Odd(), CloseCode.INTERNAL_ERROR)])
async def test_who_is_refused_with_a_problem_that_lacks_something_is_refused(problem: Problem, code: int) -> None:
    def on_connect(context: ActionContext) -> None:
        raise problem

    async with peer(hub_of(on_connect=on_connect)) as client:
        assert (await client.read())["code"] == "internal_error"
        assert (await client.cut())[0] == code


async def test_a_problem_that_lacks_something_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> None:
        raise Banned(1)

    async with peer(hub_of(registry), V1) as client:
        answer = await client.ask("act")
        assert (answer["code"], answer["status"]) == ("internal_error", 500)
        assert (await client.ask("health"))["event"] == "health"
    assert "extensions" in caplog.text


# Who it is


async def test_a_credential_that_ends_closes_the_connection() -> None:
    expiring = Identity(user_id=1, expires_at=time.time() + 0.01)
    async with peer(hub_of(limits=Limits(credential_grace=0.01)), user_id=expiring) as client:
        code, reason = await client.cut()
        assert code == CloseCode.UNAUTHORIZED
        assert reason
        assert "connect with a new one" in reason


async def test_a_credential_that_is_renewed_stays() -> None:
    async with peer(hub_of(), user_id=Identity(user_id=1, expires_at=time.time() + 1_000, state={"a": 1})) as client:
        lifetime = client.session._lifetime
        assert lifetime is not None
        first = lifetime._credential
        client.session.identify(Identity(user_id=1, expires_at=time.time() + 2_000, state={"b": 2}))
        assert first is not None
        assert first.cancelled()
        assert client.session.state == {"a": 1, "b": 2}
        second = lifetime._credential
        await client.leave()
        assert second is not None
        assert second.cancelled()


async def test_who_does_not_authenticate_in_time_is_closed() -> None:
    hub = hub_of(authenticate=lambda _: AUTHENTICATE_LATER, limits=Limits(authentication_timeout=0.5))
    async with peer(hub, user_id=NOT_GIVEN) as client:
        assert client.session.authenticated is False
        assert (await client.ask("health"))["event"] == "health"
        code, reason = await client.cut()
        assert code == CloseCode.TIMEOUT
        assert reason
        assert "ws.authenticate" in reason


async def test_without_an_authentication_time_out_there_is_all_the_time() -> None:
    hub = hub_of(authenticate=lambda _: AUTHENTICATE_LATER, limits=Limits(authentication_timeout=None))
    async with peer(hub, user_id=NOT_GIVEN) as client:
        assert client.session._lifetime is None


# Rooms and topics


async def test_rooms_are_known_by_the_names_that_they_were_given() -> None:
    hub = hub_of()
    async with peer(hub) as client:
        await client.context.join("50%25", "a/b", room("$c"))
        await client.context.subscribe("news/sport", topic("weather"))
        assert client.session.rooms == {"50%25", "a/b", "$c"}
        assert sorted(hub.rooms()) == sorted(client.session.rooms)
        assert await hub.emit(Said(), to=topic("news/sport")) == 1
        await client.context.leave("50%25", room("a/b"))
        await client.context.unsubscribe("news/sport", topic("weather"))
        assert client.session.rooms == {"$c"}
        assert await hub.emit(Said(), to=topic("news/sport")) == 0


async def test_a_session_describes_itself_without_secrets() -> None:
    async with peer(hub_of(), user_id="ann") as client:
        assert repr(client.session) == f"<Session {client.id} user='ann' open>"
        assert client.session.loop is asyncio.get_running_loop()
    assert repr(client.session) == f"<Session {client.id} user='ann' closed>"


# Threads


async def test_work_is_done_from_a_thread_that_has_no_loop() -> None:
    async with peer(hub_of()) as client:
        context: ActionContext[Any] = ActionContext(client.session)
        joined: Any = await asyncio.to_thread(context.join, "lobby")
        assert client.session.rooms == {"lobby"}
        assert await joined is None


async def test_a_connection_is_closed_from_any_thread() -> None:
    async with peer(hub_of()) as client:
        await asyncio.to_thread(client.session.close_threadsafe, 1000, "From afar.")
        assert await client.cut() == (1000, "From afar.")
    async with peer(hub_of()) as client:
        client.session.close_threadsafe(1000, "From here.")
        assert await client.cut() == (1000, "From here.")


# Draining


async def test_settling_waits_for_what_runs() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, concurrency=2)), V1) as client:
        req_ids = [await client.send("held") for _ in range(2)]
        await until(lambda: gate.entered == 2)
        settling = asyncio.create_task(client.session.settle(None))
        await asyncio.sleep(0)
        assert not settling.done()
        gate.open.set()
        await settling
        ends = [await client.end_of(req_id) for req_id in req_ids]
        assert [end["event"] for end in ends] == ["ws.complete", "ws.complete"]


async def test_what_does_not_settle_in_time_is_told_that_the_server_is_unavailable() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        req_id = await client.send("held")
        await until(lambda: gate.entered)
        await client.session.settle(0.01)
        end = await client.read()
        assert (end["code"], end["status"], end["req_id"], end["retryable"]) == ("unavailable", 503, req_id, True)


async def test_settling_waits_for_on_connect_but_not_for_ever(short_grace: None) -> None:
    gate = Gate()

    async def on_connect(context: ActionContext) -> None:
        await gate.wait()

    async with peer(hub_of(on_connect=on_connect)) as client:
        await until(lambda: gate.entered)
        await client.session.settle(0.01)
        assert gate.cancelled == 0


async def test_waiting_for_a_connection_to_be_gone_has_a_limit() -> None:
    async with peer(hub_of()) as client:
        await client.session.gone(0.01)
        waiting = [asyncio.create_task(client.session.gone(None)) for _ in range(2)]
        await asyncio.sleep(0)
        client.session.closed()
        await asyncio.gather(*waiting)
        await client.session.gone(None)


async def test_while_the_server_drains_only_health_is_answered() -> None:
    gate = Gate()
    hub = hub_of(held_registry(gate))
    for subprotocols in (PLAIN, V1):
        hub.start()
        gate.open.clear()
        gate.entered = 0
        async with peer(hub, subprotocols) as client:
            await client.send("held", {"text": "runs"})
            await until(lambda: gate.entered)
            queued = await client.send("say")
            hub.gate.closed = True
            late = await client.send("say")
            await client.send("health")
            gate.open.set()
            seen = []
            while not seen or seen[-1] != "health":
                message = await client.read()
                seen.append(message.get("code") or message["event"])
                if message.get("code"):
                    assert message["req_id"] in {queued, late}
            assert [each for each in seen if each != "ws.complete"] == ["said", "unavailable", "unavailable", "health"]


async def test_an_event_that_a_codec_cannot_carry_reaches_the_others_and_uses_no_number_up() -> None:
    class Narrow(JsonCodec):
        def encode(self, text: str) -> str | bytes:
            if '"wide"' in text:
                raise UnserializableEventError("this codec cannot carry it")
            return text

    class Text(Event, register=False):
        event_name = "text"
        text: str

    hub = hub_of()
    async with peer(hub) as narrow, peer(hub) as other:
        narrow.session._codec = Narrow()
        for each in (narrow, other):
            await each.context.join(room("codecs"))
        assert await hub.emit(Text(text="wide"), to=room("codecs")) == 1
        assert await hub.emit(Text(text="slim"), to=room("codecs")) == 2
        assert (await other.read())["payload"] == {"text": "wide"}
        for each, seq in ((narrow, 1), (other, 2)):
            message = await each.read()
            assert (message["payload"], message["seq"]) == ({"text": "slim"}, seq)


# What a client sends too much of, and what it does not read


async def test_a_client_that_sends_too_much_is_told_when_to_go_on() -> None:
    hub = hub_of(limits=Limits(rate=(0.5, 2)))
    for subprotocols in (PLAIN, V1):
        async with peer(hub, subprotocols) as client:
            for _ in range(2):
                assert (await client.ask("health"))["event"] == "health"
                assert subprotocols == PLAIN or (await client.read())["event"] == "ws.complete"
            await client.settled()
            req_id = await client.send("health")
            refused = await client.read()
            assert (refused["code"], refused["status"], refused["req_id"]) == ("rate_limited", 429, req_id)
            assert refused["retryable"] is True
            assert 0 < refused["retry_after"] <= 2
            await client.raw("no json")
            told = await client.read()
            assert told["code"] == "rate_limited"
            assert "req_id" not in told
            await client.raw(b"\xff")
            assert (await client.read())["code"] == "rate_limited"
    assert hub.stats().counters["rate_limited"] == 6


async def test_what_is_too_much_has_its_place_in_the_order() -> None:
    registry = Registry()
    release = asyncio.Event()

    @registry.action("wait")
    async def wait() -> Said:
        await release.wait()
        return Said()

    for subprotocols in (PLAIN, V1):
        release.clear()
        async with peer(hub_of(registry, limits=Limits(rate=(0.001, 2))), subprotocols) as client:
            for _ in range(2):
                await client.send("wait")
            await client.send("health")
            await asyncio.sleep(0)
            assert client.unread() == []
            release.set()
            answers = [await client.read() for _ in range(5 if subprotocols == V1 else 3)]
            kinds = [each.get("event", each.get("code")) for each in answers]
            assert [each for each in kinds if each != "ws.complete"] == ["said", "said", "rate_limited"]


@pytest.mark.parametrize("policy", ["drop_oldest", "conflate"])
async def test_what_a_slow_client_never_gets_shows_in_the_numbers_and_is_counted(policy: Any) -> None:
    hub = hub_of(limits=Limits(slow_consumer=policy, outbox_messages=3, send_timeout=None))
    async with peer(hub) as slow, peer(hub) as quick:
        for each in (slow, quick):
            await each.context.join("lobby")
        slow.transport.stop_reading()
        for number in range(10):
            reached = await hub.emit(Said(text=f"{number}").to(room("lobby"), key="k"))
            assert reached == 2
            assert (await quick.read())["payload"]["text"] == f"{number}"
        slow.transport.resume_reading()
        received = [(each["seq"], each["payload"]["text"]) for each in await slow.arrived()]
        kept = {"drop_oldest": [0, 7, 8, 9], "conflate": [0, 7, 8, 9]}[policy]
        assert received == [(number + 1, f"{number}") for number in kept]
        assert hub.stats().counters == {"lost_events": 10 - len(kept)}
        assert (await slow.ask("health"))["seq"] == 11


async def test_the_time_of_a_clock_that_is_set_back_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(idle_timeout=0.3, max_lifetime=100, rate=(1_000, 10))
    async with peer(hub_of(limits=limits)) as client:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert (await client.ask("health"))["event"] == "health"
        assert (await client.cut())[0] == CloseCode.TIMEOUT
