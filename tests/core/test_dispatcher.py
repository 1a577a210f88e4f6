"""The pipeline: handlers of every form, what goes around them, and what becomes of what goes wrong."""

import asyncio
import contextvars
import functools
import itertools
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.core.peer import PATIENCE, PLAIN, V1, hub_of, peer, until
from wsproto_core import (
    Action,
    ActionContext,
    ActionEnvelope,
    Audience,
    Event,
    EventEnvelope,
    Hub,
    Identity,
    Limits,
    Problem,
    Registry,
    Router,
    room,
)
from wsproto_core import dispatcher as dispatcher_module
from wsproto_core.dispatcher import Call
from wsproto_core.middleware import Next
from wsproto_core.security import AUTHENTICATE_LATER, NOT_GIVEN

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""


class Text(BaseModel):
    text: str = ""


class Envelope:
    """An event of beeflow's kind: anything that emits an envelope."""

    async def emit(self) -> EventEnvelope:
        return EventEnvelope(event="raw", recipient="room", recipient_id="lobby", payload={"text": "raw"})


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what was stopped next to no time to end."""
    monkeypatch.setattr("wsproto_core.turns._STOP_GRACE", 0.01)
    monkeypatch.setattr(dispatcher_module, "_THREAD_GRACE", 0.01)


async def texts(registry: Registry, action: str = "act") -> list[str]:
    """Return what an action answers with, and check that its end counts it."""
    async with peer(hub_of(registry), V1) as client:
        req_id = await client.send(action, {"text": "in"})
        answers: list[str] = []
        while True:
            message = await client.read()
            assert message["req_id"] == req_id
            if message.get("event") == "ws.complete":
                assert message["payload"] == {"events": len(answers)}
                assert message["seq"] == len(answers) + 2
                return answers
            assert message.get("event") == "said", message
            answers.append(message["payload"]["text"])


# Forms


async def nothing() -> None: ...


async def one(payload: Text) -> Said:
    return Said(text=payload.text)


async def many(payload: Text) -> list[Said]:
    return [Said(text="a"), Said(text="b")]


async def stream() -> AsyncIterator[Said]:
    yield Said(text="a")
    await asyncio.sleep(0)
    yield Said(text="b")


async def late_stream() -> AsyncIterator[Said]:
    return stream()


async def generated() -> Iterator[Said]:
    return iter([Said(text="a"), Said(text="b")])


def plain_nothing() -> None: ...


def plain_one(payload: Text) -> Said:
    return Said(text=payload.text)


def plain_many() -> tuple[Said, ...]:
    return Said(text="a"), Said(text="b")


def generator() -> Iterator[Said]:
    yield Said(text="a")
    yield Said(text="b")


def plain_awaitable() -> Awaitable[list[Said]]:
    async def later() -> list[Said]:
        return [Said(text="a"), Said(text="b")]

    return later()


def plain_awaitable_nothing() -> Awaitable[None]:
    return nothing()


def plain_stream() -> AsyncIterator[Said]:
    return stream()


class BareStream:
    """An asynchronous iterator that cannot be closed."""

    def __init__(self) -> None:
        self.left = ["a", "b"]

    def __aiter__(self) -> "BareStream":
        return self

    async def __anext__(self) -> Said:
        if not self.left:
            raise StopAsyncIteration
        return Said(text=self.left.pop(0))


async def bare_stream() -> AsyncIterator[Said]:
    return BareStream()


FORMS: list[tuple[Callable[..., Any], list[str]]] = [
    (nothing, []),
    (one, ["in"]),
    (many, ["a", "b"]),
    (stream, ["a", "b"]),
    (late_stream, ["a", "b"]),
    (bare_stream, ["a", "b"]),
    (generated, ["a", "b"]),
    (plain_nothing, []),
    (plain_one, ["in"]),
    (plain_many, ["a", "b"]),
    (generator, ["a", "b"]),
    (plain_awaitable, ["a", "b"]),
    (plain_awaitable_nothing, []),
    (plain_stream, ["a", "b"]),
    (functools.partial(one), ["in"]),
]


@pytest.mark.parametrize(("handler", "expected"), FORMS, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("around", [False, True], ids=["bare", "in a middleware"])
async def test_a_handler_may_have_any_form(
    handler: Callable[..., Any], expected: list[str], blocking: bool, around: bool
) -> None:
    registry = Registry()
    registry.action("act", blocking=blocking)(handler)
    counted: list[int] = []
    if around:

        @registry.middleware
        async def count(call: Call, following: Next) -> int:
            counted.append(await following(call))
            return counted[-1]

    assert await texts(registry) == expected
    assert counted == ([len(expected)] if around else [])


@pytest.mark.parametrize("form", ["async", "async generator", "plain", "generator"])
async def test_an_action_may_be_a_class(form: str) -> None:
    registry = Registry()

    if form == "async":

        class Async(Action, name="act", registry=registry):
            async def execute(self, message: ActionEnvelope, context: ActionContext) -> Said:
                return Said(text=message.payload["text"])

    elif form == "async generator":

        class AsyncGenerator(Action, name="act", registry=registry):
            async def execute(self, message: ActionEnvelope, context: ActionContext) -> AsyncIterator[Event]:
                yield Said(text=message.payload["text"])

    elif form == "plain":

        class Plain(Action, name="act", registry=registry):
            def execute(self, payload: Text) -> Said:
                return Said(text=payload.text)

    else:

        class Generator(Action, name="act", registry=registry):
            def execute(self, payload: Text) -> Iterator[Said]:
                yield Said(text=payload.text)

    assert await texts(registry) == ["in"]


async def test_a_handler_gets_what_its_parameters_ask_for() -> None:
    registry = Registry()
    got: dict[str, Any] = {}

    @registry.action("act")
    async def act(payload: Text, envelope: ActionEnvelope, hub: Hub, *, context: ActionContext) -> None:
        got.update(payload=payload, envelope=envelope, hub=hub, context=context)

    hub = hub_of(registry)
    async with peer(hub, V1) as client:
        req_id = await client.send("act", {"text": "in"})
        await client.end_of(req_id)
    assert got["payload"] == Text(text="in")
    assert got["hub"] is hub
    assert got["context"].connection_id == client.id
    assert (got["context"].req_id, got["context"].msg_id) == (req_id, got["envelope"].msg_id)
    assert got["envelope"] == ActionEnvelope(
        msg_id=got["envelope"].msg_id, req_id=req_id, action="act", payload={"text": "in"}
    )


async def test_an_envelope_without_payload_has_an_empty_one() -> None:
    registry = Registry()

    @registry.action("act")
    async def act(envelope: ActionEnvelope) -> Said:
        return Said(text=f"{envelope.payload} {envelope.req_id} {len(envelope.msg_id)}")

    async with peer(hub_of(registry, require_ids=False)) as client:
        await client.raw('{"action": "act"}')
        assert (await client.read())["payload"] == {"text": "{} None 36"}


@pytest.mark.parametrize(
    "wrong",
    ["text", b"bytes", {"a": 1}, 5, True, object(), Text(text="a model")],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("form", ["plain", "async", "in a list", "generator", "async generator"])
async def test_what_is_no_event_is_an_internal_error_that_says_so_in_the_log(
    form: str, blocking: bool, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()

    async def coroutine() -> Any:
        return wrong

    def plain() -> Any:
        return wrong

    async def listed() -> Any:
        return [wrong]

    def generator() -> Iterator[Any]:
        yield wrong

    async def async_generator() -> AsyncIterator[Any]:
        yield wrong

    handlers: dict[str, Any] = {
        "plain": plain,
        "async": coroutine,
        "in a list": listed,
        "generator": generator,
        "async generator": async_generator,
    }
    registry.action("act", blocking=blocking)(handlers[form])
    async with peer(hub_of(registry)) as client:
        problem = await client.ask("act")
        assert problem["code"] == "internal_error"
        assert problem["detail"] == "Something went wrong on the server."
    assert f"The action 'act' gave {type(wrong).__name__}" in caplog.text


async def test_anything_that_emits_an_envelope_is_an_event() -> None:
    registry = Registry()

    @registry.action("one")
    async def one() -> Any:
        return Envelope()

    @registry.action("many")
    async def many() -> Any:
        return [Envelope(), Said()]

    async with peer(hub_of(registry), rooms=["lobby"]) as client:
        answer = await client.ask("one")
        assert (answer["event"], answer["recipient"], answer["recipient_id"]) == ("raw", "room", "lobby")
        assert answer["payload"] == {"text": "raw"}
        await client.send("many")
        assert [(await client.read())["event"] for _ in range(2)] == ["raw", "said"]


async def test_a_generator_is_closed_when_its_action_is_stopped() -> None:
    registry = Registry()
    closed = asyncio.Event()

    @registry.action("act", timeout=0.01)
    async def act() -> AsyncIterator[Said]:
        try:
            yield Said()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["event"] == "said"
        assert (await client.read())["code"] == "action_timeout"
        assert closed.is_set()


async def test_events_before_a_failure_are_sent_and_counted_and_the_failure_is_the_end() -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> AsyncIterator[Said]:
        yield Said(text="1")
        yield Said(text="2")
        raise Problem(status=409, code="enough")

    async with peer(hub_of(registry), V1) as client:
        await client.send("act")
        seen = [await client.read() for _ in range(3)]
        assert [each.get("seq") for each in seen] == [2, 3, None]
        assert seen[-1]["code"] == "enough"
        assert (await client.ask("health"))["seq"] == 4


async def test_events_can_be_emitted_while_the_handler_goes_on() -> None:
    registry = Registry()
    go_on = asyncio.Event()

    @registry.action("act")
    async def act(context: ActionContext) -> Said:
        assert await context.emit(Said(text="begun")) == 1
        await go_on.wait()
        assert await context.emit(Said(text="to all"), to=room("nobody")) == 0
        return Said(text="done")

    async with peer(hub_of(registry), V1) as client:
        req_id = await client.send("act")
        assert (await client.read())["payload"] == {"text": "begun"}
        go_on.set()
        assert (await client.read())["payload"] == {"text": "done"}
        assert (await client.end_of(req_id))["payload"] == {"events": 2}


async def test_what_is_emitted_after_the_end_is_dropped() -> None:
    registry = Registry()
    calls: list[ActionContext] = []

    @registry.action("act")
    async def act(context: ActionContext) -> None:
        calls.append(context)

    async with peer(hub_of(registry), V1) as client:
        await client.end_of(await client.send("act"))
        assert await calls[0].emit(Said()) == 0
        assert client.unread() == []


# Worker threads


async def test_plain_functions_run_in_a_thread_in_the_context_of_their_message() -> None:
    registry = Registry()
    here = threading.get_ident()
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    @registry.middleware
    async def around(call: Call, following: Next) -> int:
        variable.set("set")
        return await following(call)

    @registry.action("act")
    def act() -> Said:
        return Said(text=f"{threading.get_ident() != here} {variable.get()}")

    assert await texts(registry) == ["True set"]
    assert variable.get() == "unset"


async def test_messages_for_threads_are_handled_in_order() -> None:
    registry = Registry()
    running: list[str] = []

    @registry.action("act")
    def act(payload: Text) -> Said:
        running.append(payload.text)
        assert len(running) == 1
        running.remove(payload.text)
        return Said(text=payload.text)

    async with peer(hub_of(registry)) as client:
        for number in range(50):
            await client.send("act", {"text": str(number)})
        assert [(await client.read())["payload"]["text"] for _ in range(50)] == [str(number) for number in range(50)]


async def test_a_plain_function_uses_the_context_without_awaiting() -> None:
    registry = Registry()

    @registry.action("act")
    def act(context: ActionContext) -> Said:
        context.join("lobby")
        context.emit(Said(text="joined"))
        context.leave("lobby")
        return Said(text="left")

    assert await texts(registry) == ["joined", "left"]


class Threads:
    """Handlers that wait in their threads until they are let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.left = threading.Event()
        self.emitted = 0
        self.registry = Registry()
        self.registry.action("held", timeout=0.02)(self.held)
        self.registry.action("stream", timeout=0.5)(self.stream)
        self.registry.action("long")(self.held)

    def held(self, payload: Text) -> Said:
        self.entered.set()
        self.open.wait(PATIENCE)
        self.left.set()
        return Said(text="too late")

    def stream(self) -> Iterator[Said]:
        try:
            yield Said(text="in time")
            self.entered.set()
            self.open.wait(PATIENCE)
            for _ in range(1_000):
                self.emitted += 1
                yield Said(text="too late")
        finally:
            self.left.set()


async def test_a_thread_that_takes_too_long_is_ended_at_once_and_the_next_message_waits_for_it() -> None:
    threads = Threads()
    async with peer(hub_of(threads.registry), V1) as client:
        slow = await client.send("held")
        following = await client.send("health")
        end = await client.read()
        assert (end["req_id"], end["code"]) == (slow, "action_timeout")
        await until(threads.entered.is_set)
        assert client.unread() == []
        threads.open.set()
        assert [(await client.read())["req_id"] for _ in range(2)] == [following, following]
        assert threads.left.is_set()


async def test_the_next_message_does_not_wait_for_a_thread_for_ever(short_grace: None) -> None:
    threads = Threads()
    async with peer(hub_of(threads.registry), V1) as client:
        slow = await client.send("held")
        assert (await client.end_of(slow))["code"] == "action_timeout"
        following = await client.send("health")
        assert (await client.end_of(following))["event"] == "ws.complete"
        assert not threads.left.is_set()
        threads.open.set()
        await until(threads.left.is_set)
        assert (await client.ask("health"))["seq"] == 4


async def test_a_long_answer_to_a_client_that_reads_leaves_turns_to_others() -> None:
    registry = Registry()
    turns: list[int] = []

    @registry.action("stream")
    async def stream() -> AsyncIterator[Said]:
        for number in range(1_000):
            turns.append(rounds)
            yield Said(text=str(number))

    rounds = 0

    async def go_round() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async with peer(hub_of(registry), V1) as client:
        others = asyncio.create_task(go_round())
        req_id = await client.send("stream")
        assert (await client.end_of(req_id))["payload"] == {"events": 1_000}
        others.cancel()
    assert turns[-1] - turns[0] > 20
    assert all(later - earlier <= 100 for earlier, later in itertools.pairwise(turns))


async def test_a_generator_in_a_thread_stops_emitting_after_its_time_out() -> None:
    threads = Threads()
    async with peer(hub_of(threads.registry), V1) as client:
        req_id = await client.send("stream")
        assert (await client.read())["payload"] == {"text": "in time"}
        end = await client.read()
        assert (end["req_id"], end["code"]) == (req_id, "action_timeout")
        threads.open.set()
        await until(threads.left.is_set)
        assert threads.emitted <= 1
        assert (await client.ask("health"))["seq"] == 3


async def test_a_thread_is_cancelled_in_the_same_way() -> None:
    threads = Threads()
    async with peer(hub_of(threads.registry), V1) as client:
        req_id = await client.send("long")
        await until(threads.entered.is_set)
        cancel = await client.send("ws.cancel", {"req_id": req_id})
        ends = {(message := await client.read())["req_id"]: message for _ in range(2)}
        assert ends[req_id]["code"] == "cancelled"
        assert ends[cancel]["event"] == "ws.complete"
        threads.open.set()
        assert (await client.ask("health"))["event"] == "health"


async def test_a_disconnect_does_not_wait_for_a_thread() -> None:
    threads = Threads()
    async with peer(hub_of(threads.registry)) as client:
        await client.send("long")
        await until(threads.entered.is_set)
        async with asyncio.timeout(2):
            await client.leave()
        assert not threads.left.is_set()
        threads.open.set()
        await until(threads.left.is_set)
    threads = Threads()
    async with peer(hub_of(threads.registry)) as client:
        assert (await client.ask("held"))["code"] == "action_timeout"
        async with asyncio.timeout(2):
            await client.leave()
        assert not threads.left.is_set()
        threads.open.set()


async def test_emitting_from_a_thread_after_the_end_is_dropped(short_grace: None) -> None:
    registry = Registry()
    entered, go_on, done = threading.Event(), threading.Event(), threading.Event()

    @registry.action("act", timeout=0.01)
    def act(context: ActionContext) -> None:
        entered.set()
        go_on.wait(PATIENCE)
        context.emit(Said())
        done.set()

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["code"] == "action_timeout"
        await until(entered.is_set)
        go_on.set()
        await until(done.is_set)
        assert client.unread() == []


# What goes wrong


ERRORS = [ValueError("secret"), SystemExit(3), KeyboardInterrupt("secret"), StopIteration("secret"), RecursionError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("form", ["async", "async generator", "thread", "generator in a thread", "inline"])
async def test_whatever_a_handler_raises_harms_only_itself(
    form: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()

    async def coroutine() -> None:
        raise error

    async def async_generator() -> AsyncIterator[Said]:
        raise error
        yield

    def plain() -> None:
        raise error

    def generator() -> Iterator[Said]:
        raise error
        yield

    handlers: dict[str, Any] = {
        "async": coroutine,
        "async generator": async_generator,
        "thread": plain,
        "generator in a thread": generator,
        "inline": plain,
    }
    registry.action("act", blocking=form != "inline", timeout=5)(handlers[form])
    async with peer(hub_of(registry), V1) as client:
        req_id = await client.send("act")
        problem = await client.read()
        assert (problem["code"], problem["status"], problem["req_id"]) == ("internal_error", 500, req_id)
        assert "secret" not in str(problem)
        assert (await client.ask("health"))["event"] == "health"
    [record] = caplog.records
    assert record.name == "wsproto_core.dispatcher"
    assert record.levelno == logging.ERROR
    assert record.exc_info


async def test_an_internal_error_is_logged_once_with_all_that_is_needed_to_find_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()
    error = ValueError("the secret is 42")

    @registry.action("fail")
    async def fail() -> None:
        raise error

    async with peer(hub_of(registry)) as client:
        req_id = await client.send("fail")
        problem = await client.read()
    assert problem == {
        "msg_id": problem["msg_id"],
        "req_id": req_id,
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong on the server.",
        "instance": "/ws/",
        "code": "internal_error",
        "retryable": False,
    }
    [record] = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is error
    fields = {"connection_id": client.id, "action": "fail", "req_id": req_id, "msg_id": problem["msg_id"]}
    assert vars(record).items() >= fields.items()
    for value in fields.values():
        assert value in record.getMessage()


async def test_a_handler_that_cancels_itself_is_an_internal_error() -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> None:
        raise asyncio.CancelledError

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["code"] == "internal_error"


async def test_a_loop_that_is_torn_down_may_end_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    entered = asyncio.Event()

    @registry.action("act")
    async def act() -> None:
        entered.set()
        await asyncio.Event().wait()

    async with peer(hub_of(registry)) as client:
        await client.send("act")
        await entered.wait()
        task = client.session._serial.task  # type: ignore[union-attr]
        assert task is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert caplog.records == []


async def test_a_coroutine_that_is_thrown_away_is_let_go() -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> None:
        await asyncio.Event().wait()

    async with peer(hub_of(registry)) as client:
        call = Call(client.session, b"{}")
        call.action = registry.actions["act"]
        running = client.hub.dispatcher.run(call)
        running.send(None)
        running.close()
        assert client.unread() == []


@pytest.mark.parametrize(
    "payload", [{"distance": float("nan")}, {"distance": float("inf")}, {"text": "\ud800"}, {"any": object()}]
)
async def test_an_event_that_json_cannot_carry_is_an_internal_error_and_sent_to_nobody(payload: dict[str, Any]) -> None:
    class Odd(Event, name="odd", registry=Registry()):
        distance: float = 0
        text: str = ""
        any: Any = None

    registry = Registry()

    @registry.action("answer")
    async def answer() -> Odd:
        return Odd.model_construct(**payload)

    @registry.action("tell")
    async def tell() -> Odd:
        return Odd.model_construct(**payload).to(room("lobby"))

    hub = hub_of(registry)
    async with peer(hub, rooms=["lobby"]) as client, peer(hub, rooms=["lobby"]) as other:
        assert (await client.ask("answer"))["code"] == "internal_error"
        assert (await client.ask("tell"))["code"] == "internal_error"
        assert (await client.ask("health"))["seq"] == 1
        assert (await other.ask("health"))["seq"] == 1


async def test_an_unknown_recipient_is_an_internal_error_and_the_connection_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> Said:
        return Said().to(Audience("session", "17"))

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["code"] == "internal_error"
        assert (await client.ask("health"))["seq"] == 1
    assert "There is no recipient 'session'" in caplog.text


async def test_a_name_that_no_room_can_have_is_the_clients_mistake() -> None:
    registry = Registry()

    @registry.action("join")
    async def join(payload: Text, context: ActionContext) -> None:
        await context.join(payload.text)

    async with peer(hub_of(registry)) as client:
        problem = await client.ask("join", {"text": ""})
        assert (problem["code"], problem["status"]) == ("invalid_payload", 422)


# Problems


async def test_a_problem_that_is_raised_is_the_answer() -> None:
    registry = Registry()

    @registry.action("act")
    def act() -> None:
        raise Problem("Wait.", status=409, code="room_full", title="Room is full", slug="room-full", free_at="18:00")

    async with peer(hub_of(registry, problem_type_base_url="https://example.com/problems/"), path="/chat") as client:
        req_id = await client.send("act")
        problem = await client.read()
        assert problem == {
            "msg_id": problem["msg_id"],
            "req_id": req_id,
            "type": "https://example.com/problems/room-full",
            "title": "Room is full",
            "status": 409,
            "detail": "Wait.",
            "instance": "/chat",
            "code": "room_full",
            "retryable": False,
            "free_at": "18:00",
        }


class Taken(Exception):
    pass


class SeatTaken(Taken, LookupError):
    pass


async def answer_to(error: BaseException, registry: Registry) -> dict[str, Any]:
    @registry.action("act")
    async def act() -> None:
        raise error

    async with peer(hub_of(registry)) as client:
        return await client.ask("act")


async def test_an_exception_handler_turns_an_exception_into_a_problem() -> None:
    registry = Registry()

    @registry.exception_handler(Taken)
    def taken(error: Taken) -> Problem:
        return Problem(str(error), status=409, code="taken")

    answer = await answer_to(Taken("by ann"), registry)
    assert (answer["code"], answer["detail"]) == ("taken", "by ann")


async def test_the_nearest_class_of_an_exception_has_the_say() -> None:
    for nearest in (SeatTaken, Taken, LookupError, Exception):
        registry = Registry()
        handled = [each for each in (SeatTaken, Taken, LookupError, Exception) if issubclass(nearest, each)]
        for cls in handled:

            @registry.exception_handler(cls)
            async def handle(error: Exception, context: ActionContext, cls: type = cls) -> Problem:
                return Problem(status=409, code=cls.__name__, asked=context.req_id)

        answer = await answer_to(SeatTaken(), registry)
        assert answer["code"] == nearest.__name__
        assert answer["asked"] == answer["req_id"]


async def test_an_exception_without_handler_is_an_internal_error_although_there_are_others() -> None:
    registry = Registry()

    @registry.exception_handler(Taken)
    def taken(error: Taken) -> Problem:
        return Problem(status=409)

    assert (await answer_to(ValueError(), registry))["code"] == "internal_error"


@pytest.mark.parametrize("further", [ValueError("in the handler"), SystemExit(3), asyncio.CancelledError()], ids=repr)
async def test_an_exception_handler_that_fails_is_an_internal_error(
    further: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()

    @registry.exception_handler(Taken)
    async def taken(error: Taken) -> Problem:
        raise further

    assert (await answer_to(Taken(), registry))["code"] == "internal_error"
    [record] = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is further


async def test_an_exception_handler_that_returns_no_problem_is_an_internal_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()

    @registry.exception_handler(Taken)
    def taken(error: Taken) -> Any:
        return {"status": 409}

    assert (await answer_to(Taken(), registry))["code"] == "internal_error"
    assert "The exception handler of Taken returned dict, not a Problem." in caplog.text


async def test_an_exception_handler_is_let_go_when_its_loop_is_torn_down() -> None:
    registry = Registry()
    entered = asyncio.Event()

    @registry.exception_handler(Taken)
    async def taken(error: Taken) -> Problem:
        entered.set()
        await asyncio.Event().wait()
        return Problem(status=409)

    @registry.action("act")
    async def act() -> None:
        raise Taken

    async with peer(hub_of(registry)) as client:
        await client.send("act")
        await entered.wait()
        task = client.session._serial.task  # type: ignore[union-attr]
        assert task is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Middlewares


async def test_middlewares_run_in_order_around_the_handler() -> None:
    registry, router = Registry(), Router()
    steps: list[str] = []

    def named(name: str) -> Callable[[Call, Next], Awaitable[int]]:
        async def middleware(call: Call, following: Next) -> int:
            steps.append(f"{name} in")
            emitted = await following(call)
            steps.append(f"{name} out {emitted}")
            return emitted

        return middleware

    router.middleware(named("router"))
    registry.middleware(named("first"))
    registry.middleware(named("second"))

    @router.action("inner")
    async def inner() -> Said:
        steps.append("handler")
        return Said()

    @registry.action("outer")
    async def outer() -> None:
        steps.append("handler")

    registry.include(router)
    async with peer(hub_of(registry), V1) as client:
        await client.end_of(await client.send("inner"))
        assert steps == [
            "first in",
            "second in",
            "router in",
            "handler",
            "router out 1",
            "second out 1",
            "first out 1",
        ]
        steps.clear()
        await client.end_of(await client.send("outer"))
        assert steps == ["first in", "second in", "handler", "second out 0", "first out 0"]


async def test_middlewares_of_a_router_run_around_its_own_actions_only() -> None:
    registry, router = Registry(), Router()
    seen: list[str] = []

    @router.middleware
    async def note(call: Call, following: Next) -> int:
        seen.append(call.action.name)
        return await following(call)

    router.action("mine")(one)
    registry.action("other")(one)
    registry.include(router, prefix="r.")
    async with peer(hub_of(registry)) as client:
        await client.ask("r.mine", {"text": "a"})
        await client.ask("r.mine", {"text": "b"})
        await client.ask("other", {"text": "c"})
    assert seen == ["r.mine", "r.mine"]


async def test_a_middleware_may_answer_itself_or_refuse() -> None:
    registry = Registry()

    @registry.middleware
    async def guard(call: Call, following: Next) -> int:
        if call.payload.text == "refuse":
            raise Problem(status=403, code="forbidden")
        if call.payload.text == "answer":
            return await call.emit(Said(text="from the middleware"))
        return await following(call)

    registry.action("act")(one)
    async with peer(hub_of(registry), V1) as client:
        assert (await client.ask("act", {"text": "refuse"}))["code"] == "forbidden"
        req_id = await client.send("act", {"text": "answer"})
        assert (await client.read())["payload"] == {"text": "from the middleware"}
        assert (await client.end_of(req_id))["payload"] == {"events": 1}
        assert (await client.ask("act", {"text": "pass"}))["payload"] == {"text": "pass"}


async def test_a_middleware_sees_the_call_and_the_exception() -> None:
    registry = Registry()
    seen: list[Any] = []

    @registry.middleware
    async def watch(call: Call, following: Next) -> int:
        seen.extend([repr(call), call.hub, call.payload, call.envelope.payload, call.context.req_id])
        try:
            return await following(call)
        except ValueError as error:
            seen.append(error)
            return 0

    error = ValueError("handled by the middleware")

    @registry.action("act")
    async def act(payload: Text) -> None:
        raise error

    hub = hub_of(registry)
    async with peer(hub, V1) as client:
        req_id = await client.send("act", {"text": "in"})
        assert (await client.end_of(req_id))["event"] == "ws.complete"
    assert seen == [f"<Call 'act' req_id={req_id}>", hub, Text(text="in"), {"text": "in"}, req_id, error]


async def test_a_middleware_that_is_registered_later_is_noticed() -> None:
    registry = Registry()
    registry.action("act")(one)
    seen: list[int] = []

    def noting(number: int) -> Callable[[Call, Next], Awaitable[int]]:
        async def note(call: Call, following: Next) -> int:
            seen.append(number)
            return await following(call)

        return note

    async with peer(hub_of(registry)) as client:
        await client.ask("act")
        registry.middleware(noting(1))
        await client.ask("act")
        registry.middleware(noting(2))
        await client.ask("act")
    assert seen == [1, 1, 2]


async def test_a_rejected_message_describes_itself() -> None:
    async with peer(hub_of()) as client:
        call = client.session._decode("no JSON")
        assert repr(call) == "<Call None req_id=None>"


async def test_a_message_that_is_none_goes_through_no_middleware() -> None:
    registry = Registry()
    seen: list[Call] = []

    @registry.middleware
    async def note(call: Call, following: Next) -> int:
        seen.append(call)
        return await following(call)

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("nothing"))["code"] == "unknown_websocket_action"
    assert seen == []


# Who may


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_requirement_is_asked(answer: bool, asynchronous: bool) -> None:
    registry = Registry()
    asked: list[Any] = []

    def requirement(context: ActionContext) -> bool:
        asked.append(context.user_id)
        return answer

    async def async_requirement(context: ActionContext) -> bool:
        return requirement(context)

    registry.action("act", requires=async_requirement if asynchronous else requirement)(one)
    hub = hub_of(registry)
    for user_id, code in ((7, "forbidden"), (None, "unauthenticated")):
        async with peer(hub, user_id=user_id) as client:
            message = await client.ask("act")
            assert message.get("code") == (None if answer else code)
    assert asked == [7, None]


@pytest.mark.parametrize(
    ("scopes", "allowed"), [((), False), (("read",), False), (("read", "write"), True), (("read", "write", "x"), True)]
)
async def test_scopes_are_required(scopes: tuple[str, ...], allowed: bool) -> None:
    registry = Registry()
    registry.action("act", requires=["read", "write"])(one)
    async with peer(hub_of(registry), user_id=Identity(user_id=1, scopes=frozenset(scopes))) as client:
        message = await client.ask("act")
        assert message.get("code") == (None if allowed else "forbidden")
        assert message.get("status") == (None if allowed else 403)


async def test_a_requirement_may_say_why_not() -> None:
    registry = Registry()

    def paid(context: ActionContext) -> bool:
        raise Problem("Pay first.", status=402)

    registry.action("act", requires=paid)(one)
    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["status"] == 402


@pytest.mark.parametrize("middleware", [False, True])
async def test_until_it_has_authenticated_a_connection_gets_nothing_but_health(middleware: bool) -> None:
    registry = Registry()
    registry.action("act")(one)
    if middleware:

        @registry.middleware
        async def pass_on(call: Call, following: Next) -> int:
            return await following(call)

    hub = hub_of(registry, authenticate=lambda info: "ann" if info.token == "good" else AUTHENTICATE_LATER)
    async with peer(hub, user_id=NOT_GIVEN) as client:
        assert (await client.ask("act"))["code"] == "unauthenticated"
        assert (await client.ask("health"))["event"] == "health"
        assert (await client.ask("ws.authenticate", {"token": "bad"}))["code"] == "unauthenticated"
        assert (await client.ask("act"))["code"] == "unauthenticated"
        assert (await client.ask("ws.authenticate", {"token": "good"}))["payload"]["user_id"] == "ann"
        assert (await client.ask("act"))["event"] == "said"


# Time


async def test_a_stopped_action_that_fails_while_it_cleans_up_ends_as_it_was_stopped_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()

    @registry.action("act", timeout=0.01)
    async def act() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while cleaning up")

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("act"))["code"] == "action_timeout"
    [record] = caplog.records
    assert record.exc_info
    assert str(record.exc_info[1]) == "while cleaning up"


@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
async def test_time_spent_on_authorisation_counts(subprotocols: tuple[str, ...]) -> None:
    registry = Registry()

    async def slow(context: ActionContext) -> bool:
        await asyncio.Event().wait()
        return True

    registry.action("act", requires=slow)(one)
    async with peer(hub_of(registry, limits=Limits(action_timeout=0.01)), subprotocols) as client:
        assert (await client.ask("act"))["code"] == "action_timeout"


async def test_an_action_that_is_stopped_before_it_has_begun_never_begins() -> None:
    registry = Registry()
    go_on = asyncio.Event()
    begun: list[str] = []

    @registry.action("act")
    async def act(payload: Text) -> None:
        begun.append(payload.text)
        await go_on.wait()

    async with peer(hub_of(registry), V1) as client:
        await client.send("act", {"text": "1"})
        queued = await client.send("act", {"text": "2"})
        await client.send("ws.cancel", {"req_id": queued})
        assert (await client.read())["event"] == "ws.complete"
        go_on.set()
        assert (await client.end_of(queued))["code"] == "cancelled"
    assert begun == ["1"]


async def test_an_answer_that_is_being_written_is_written_whole_when_its_time_is_up() -> None:
    registry = Registry()
    registry.action("act", timeout=0.01)(one)
    async with peer(hub_of(registry), V1) as client:
        client.transport.stop_reading()
        await client.send("act")
        call = client.session._serial
        assert isinstance(call, Call)
        await until(lambda: call.stop_reason)
        client.transport.resume_reading()
        assert (await client.read())["seq"] == 2
        assert (await client.read())["code"] == "action_timeout"
        assert (await client.ask("health"))["seq"] == 3


async def test_an_action_that_is_given_up_ends_once(short_grace: None) -> None:
    registry = Registry()
    release, done = asyncio.Event(), asyncio.Event()

    @registry.action("act", timeout=0.01)
    async def act() -> Said:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        done.set()
        return Said()

    async with peer(hub_of(registry), V1) as client:
        assert (await client.ask("act"))["code"] == "action_timeout"
        release.set()
        await done.wait()
        assert (await client.ask("health"))["seq"] == 2


async def test_an_action_that_outlasts_the_drain_is_told_so() -> None:
    registry = Registry()

    @registry.action("act")
    async def act() -> None:
        await asyncio.Event().wait()

    async with peer(hub_of(registry, limits=Limits(drain_timeout=0.01)), V1) as client:
        req_id = await client.send("act")
        draining = asyncio.create_task(client.hub.drain())
        assert (await client.read())["event"] == "ws.drain"
        end = await client.read()
        assert (end["code"], end["req_id"]) == ("unavailable", req_id)
        assert (await client.cut())[0] == 1012
        await client.leave()
        await draining


async def test_a_failure_that_belongs_to_no_action_is_logged_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub = hub_of()

    def fail(raw: bytes) -> Any:
        raise ValueError("the registry cannot be read")

    async with peer(hub) as client:
        with monkeypatch.context() as patched:
            patched.setattr(hub.decoder, "decode", fail)
            await client.raw("no JSON")
        assert (await client.read())["code"] == "internal_error"
        assert (await client.ask("health"))["event"] == "health"
    [record] = caplog.records
    assert vars(record)["action"] is None
