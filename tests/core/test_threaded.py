"""A connection with a thread of its own: where messages are handled, in which order, and what a slow handler gets."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.core.peer import PATIENCE, V1, envelope, hub_of
from tests.core.wires import LARGE, Client, Wire
from wsproto_core import ActionContext, Audience, ConnectionInfo, Denial, Event, Hub, Limits, Problem, Registry, room
from wsproto_core.blocking import LoopThread
from wsproto_core.errors import UnserializableEventError
from wsproto_core.middleware import Next
from wsproto_core.testing import captured
from wsproto_core.threaded import ThreadedSession, _run_to_end
from wsproto_core.transport import Surroundings


class Where(Event, name="where"):
    """The thread that a handler ran in."""

    thread: str


class Said(Event, name="said"):
    text: str


class Bad(Event, name="bad"):
    number: float


def where() -> Where:
    return Where(thread=threading.current_thread().name)


class Peer:
    """One connection: its thread, its session, and the client's end."""

    def __init__(self, wire: Wire, session: ThreadedSession, thread: threading.Thread) -> None:
        self.wire = wire
        self.session = session
        self.thread = thread
        self.client: Client = wire.client

    def ask_until_here(self, action: str = "plain") -> None:
        """Ask until the answer comes from the connection's own thread."""
        while self.client.ask(action)["payload"]["thread"] != "reader":
            pass

    def gone(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


class Threads:
    """A loop, and connections with threads on it."""

    def __init__(self) -> None:
        self.loop = LoopThread()
        self.peers: list[Peer] = []

    def connect(
        self,
        hub: Hub,
        subprotocols: tuple[str, ...] = (),
        surroundings: Surroundings | None = None,
        **admission: Any,
    ) -> Peer:
        wire = Wire(ConnectionInfo(path="/ws/", subprotocols=subprotocols))

        async def begin() -> ThreadedSession:
            admitted = await hub.admit(wire.info, **admission)
            assert not isinstance(admitted, Denial)
            return hub.open_threaded(wire, admitted, surroundings or Surroundings())

        session = self.loop.run(begin())
        thread = threading.Thread(target=session.serve, name="reader")
        thread.start()
        self.peers.append(Peer(wire, session, thread))
        if subprotocols == V1:
            assert wire.client.read()["event"] == "ws.ready"
        return self.peers[-1]

    def on_loop(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return self.loop.run(call())

    def stop(self) -> None:
        for peer in self.peers:
            peer.wire.drop()
            peer.gone()
            peer.wire.close()
        self.loop.stop()


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.stop()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What handlers wait for; it opens at the end in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def registry(gate: threading.Event) -> Registry:
    registry = Registry()

    @registry.action("plain")
    def plain() -> Where:
        return where()

    @registry.action("coroutine")
    async def coroutine() -> Where:
        return where()

    @registry.action("waiting")
    async def waiting() -> Where:
        while not gate.is_set():  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(0.001)
        return where()

    @registry.action("block")
    def block() -> Where:
        gate.wait(PATIENCE)
        return where()

    return registry


def test_a_plain_function_runs_in_the_connections_own_thread(threads: Threads, registry: Registry) -> None:
    peer = threads.connect(hub_of(registry))
    assert [peer.client.ask("plain")["payload"]["thread"] for _ in range(3)] == ["reader"] * 3
    assert peer.session.threadsafe


def test_an_async_function_runs_on_the_loop_and_the_thread_goes_on_after_it(
    threads: Threads, registry: Registry
) -> None:
    peer = threads.connect(hub_of(registry))
    assert peer.client.ask("coroutine")["payload"]["thread"] == "wsproto-loop"
    peer.ask_until_here()


def test_answers_come_in_the_order_of_the_messages_wherever_they_are_handled(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry))
    asked = [peer.client.send(action) for action in ("plain", "waiting", "plain", "nothing", "coroutine", "plain") * 20]
    gate.set()
    answers = [peer.client.read() for _ in asked]
    assert [answer["req_id"] for answer in answers] == asked
    assert [answer["seq"] for answer in answers if "seq" in answer] == list(range(1, 101))


def test_what_plain_functions_may_give(threads: Threads) -> None:
    registry = Registry()

    @registry.action("nothing")
    def nothing() -> None: ...

    @registry.action("several")
    def several() -> list[Said]:
        return [Said(text="1"), Said(text="2")]

    @registry.action("generator")
    def generator() -> Iterator[Said]:
        yield Said(text="3")
        yield Said(text="4")

    @registry.action("coroutine")
    def coroutine() -> Any:
        async def give() -> Said:
            return Said(text="5")

        return give()

    @registry.action("number")
    def number() -> Any:
        return 6

    @registry.action("numbers")
    def numbers() -> Any:
        return [6]

    peer = threads.connect(hub_of(registry))
    for action in ("nothing", "several", "generator", "coroutine", "number", "numbers"):
        peer.client.send(action)
    answers = [peer.client.read() for _ in range(7)]
    assert [answer["payload"]["text"] for answer in answers[:5]] == ["1", "2", "3", "4", "5"]
    assert [answer["code"] for answer in answers[5:]] == ["internal_error"] * 2


def test_what_plain_functions_may_raise(threads: Threads, caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()

    @registry.exception_handler(LookupError)
    async def lookup(error: LookupError) -> Problem:
        return Problem("not there", status=404, code="not_there", title="Not there")

    @registry.action("raise")
    def fail(payload: dict[str, str]) -> None:
        match payload["what"]:
            case "problem":
                raise Problem("no", status=409, code="conflict")
            case "lookup":
                raise KeyError("x")
            case "exit":
                raise SystemExit(1)
            case "cancel":
                raise asyncio.CancelledError
            case "odd":
                raise Problem("no", status=409, code="conflict", odd=float("nan"))

    peer = threads.connect(hub_of(registry))
    codes = [
        peer.client.ask("raise", {"what": what})["code"] for what in ("problem", "lookup", "exit", "cancel", "odd")
    ]
    assert codes == ["conflict", "not_there", "internal_error", "internal_error", "internal_error"]
    assert "SystemExit" in caplog.text


def test_events_that_cannot_be_written_take_no_number(threads: Threads) -> None:
    registry = Registry()

    @registry.action("bad")
    def bad() -> Bad:
        return Bad(number=float("inf"))

    @registry.action("good")
    def good() -> Bad:
        return Bad(number=1)

    peer = threads.connect(hub_of(registry))
    assert peer.client.ask("bad")["code"] == "internal_error"
    assert peer.client.ask("good")["seq"] == 1


def test_messages_that_are_none_are_answered_from_the_thread(threads: Threads, registry: Registry) -> None:
    peer = threads.connect(hub_of(registry))
    peer.ask_until_here()
    peer.client.write("hello")
    assert peer.client.read()["code"] == "invalid_websocket_message"
    assert peer.client.ask("unknown")["code"] == "unknown_websocket_action"


def test_a_message_that_is_too_long_is_refused_by_the_loop(threads: Threads, registry: Registry) -> None:
    peer = threads.connect(hub_of(registry, limits=Limits(max_message_bytes=400)))
    peer.ask_until_here()
    # Long enough to be measured, and short enough to be taken.
    assert peer.client.ask("plain", {"x": "x" * 100})["event"] == "where"
    peer.client.send("plain", {"x": "x" * 400})
    assert peer.client.read()["code"] == "message_too_large"
    assert peer.client.line().startswith("close 1009 ")
    peer.client.write("bye 1009")
    peer.gone()
    assert peer.session.close_code == 1009


def test_authorisation_where_the_function_runs(threads: Threads) -> None:
    registry = Registry()

    async def asynchronous(context: ActionContext) -> bool:
        return context.user_id == 1

    for name, requires in {
        "scopes": ["admin"],
        "function": lambda context: threading.current_thread().name == "reader",
        "async": asynchronous,
        "odd": lambda context: asynchronous(context),
    }.items():
        registry.action(name, requires=requires)(where)
    peer = threads.connect(hub_of(registry), user_id=1)
    assert peer.client.ask("scopes")["code"] == "forbidden"
    assert peer.client.ask("function")["event"] == "where"
    assert peer.client.ask("async")["event"] == "where"


def test_who_has_not_authenticated_yet_may_not_call(threads: Threads, registry: Registry) -> None:
    from wsproto_core import AUTHENTICATE_LATER

    peer = threads.connect(hub_of(registry), user_id=AUTHENTICATE_LATER)
    assert peer.client.ask("plain")["code"] == "unauthenticated"
    assert peer.client.ask("health")["event"] == "health"


@pytest.mark.parametrize("kind", ["middleware", "concurrency"])
def test_what_needs_the_loop_goes_there_and_the_function_runs_in_a_worker(threads: Threads, kind: str) -> None:
    registry = Registry()
    if kind == "middleware":

        @registry.middleware
        async def through(call: Any, following: Next) -> int:
            return await following(call)

    registry.action("plain", concurrency=2 if kind == "concurrency" else None)(where)
    peer = threads.connect(hub_of(registry))
    assert peer.client.ask("plain")["payload"]["thread"].startswith("wsproto-worker")


def test_handlers_have_their_surroundings_wherever_they_run(threads: Threads) -> None:
    registry = Registry()
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    entered: list[str] = []

    @contextmanager
    def around() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    def look() -> Said:
        text = f"{variable.get()} {' '.join(entered)}"
        variable.set("changed")
        return Said(text=text)

    registry.action("plain")(look)
    registry.action("beside", concurrency=2)(look)

    @registry.action("coroutine")
    async def coroutine() -> Said:
        return look()

    variable.set("given")
    surroundings = Surroundings(around=around, context=contextvars.copy_context())
    peer = threads.connect(hub_of(registry), surroundings=surroundings)
    texts = [peer.client.ask(action)["payload"]["text"] for action in ("plain", "plain", "beside", "coroutine")]
    assert texts == ["given in", "given in out in", "given in out in out in", "given in out in out in out"]


def test_emitting_and_joining_from_a_plain_function(threads: Threads) -> None:
    registry = Registry()

    @registry.action("enter")
    def enter(context: ActionContext) -> Said:
        context.join("lobby")
        assert context.rooms == {"lobby"}
        context.emit(Said(text="own"))
        context.emit(Said(text="room"), to=room("lobby"))
        return Said(text="returned").to(room("lobby"))

    @registry.action("nowhere")
    def nowhere() -> Said:
        return Said(text="x").to(Audience("nobody", "1"))

    hub = hub_of(registry)
    peer, other = threads.connect(hub), threads.connect(hub)
    other.client.send("enter")
    assert [other.client.read()["payload"]["text"] for _ in range(3)] == ["own", "room", "returned"]
    req_id = peer.client.send("enter")
    answers = [peer.client.read() for _ in range(3)]
    assert [(answer["payload"]["text"], answer["seq"]) for answer in answers] == [
        ("own", 1),
        ("room", 2),
        ("returned", 3),
    ]
    assert {answer["req_id"] for answer in answers} == {req_id}
    assert [other.client.read()["seq"] for _ in range(2)] == [4, 5]
    assert peer.client.ask("nowhere")["code"] == "internal_error"


def test_events_are_pushed_from_any_thread_without_the_loop(threads: Threads, registry: Registry) -> None:
    hub = hub_of(registry)
    peer = threads.connect(hub, rooms=["lobby"])
    peer.ask_until_here()
    first = peer.client.ask("plain")["seq"] + 1
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(hub.emit_sync, Said(text=str(number)), room("lobby"))
    events = [peer.client.read() for _ in range(200)]
    assert [event["seq"] for event in events] == list(range(first, first + 200))
    assert {event["payload"]["text"] for event in events} == set(map(str, range(200)))


def test_a_room_does_not_wait_for_one_who_does_not_read(threads: Threads, registry: Registry) -> None:
    hub = hub_of(registry, limits=Limits(outbox_messages=5))
    slow, quick = threads.connect(hub, rooms=["lobby"]), threads.connect(hub, rooms=["lobby"])
    for peer in (slow, quick):
        peer.ask_until_here()
    hub.emit_sync(Said(text=LARGE), to=room("lobby"))
    assert quick.client.read()["payload"]["text"] == LARGE
    for number in range(10):
        hub.emit_sync(Said(text=str(number)), to=room("lobby"))
        assert quick.client.read()["payload"]["text"] == str(number)
    assert len(slow.client.read()["payload"]["text"]) == len(LARGE)
    assert slow.client.line().startswith("close 1013 ")
    slow.client.write("bye 1013")
    slow.gone()
    assert hub.stats().counters["slow_consumers"] == 1


def test_an_event_that_the_codec_of_a_receiver_cannot_carry_does_not_reach_it(
    threads: Threads, registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing:
        def encode(self, text: str) -> str:
            raise UnserializableEventError("not in this codec")

    hub = hub_of(registry)
    peer, other = threads.connect(hub, rooms=["lobby"]), threads.connect(hub, rooms=["lobby"])
    with monkeypatch.context() as patched:
        patched.setattr(peer.session, "_codec", Refusing())
        hub.emit_sync(Said(text="1"), to=room("lobby"))
    hub.emit_sync(Said(text="2"), to=room("lobby"))
    assert [other.client.read()["payload"]["text"] for _ in range(2)] == ["1", "2"]
    only = peer.client.read()
    assert (only["payload"]["text"], only["seq"]) == ("2", 1)
    assert "does not reach connection" in caplog.text


def test_observers_see_answers_from_the_thread_and_from_the_loop(threads: Threads, registry: Registry) -> None:
    hub = hub_of(registry)
    peer = threads.connect(hub)
    with captured(hub) as events:
        peer.ask_until_here()
        peer.client.ask("coroutine")
    assert events[0].payload["thread"] == "reader"
    assert events[-1].payload["thread"] == "wsproto-loop"


def test_who_opted_in_gets_the_end_of_each_call(threads: Threads, registry: Registry) -> None:
    peer = threads.connect(hub_of(registry), V1)
    for action, thread in (("plain", "reader"), ("coroutine", "wsproto-loop"), ("plain", None)):
        req_id = peer.client.send(action)
        event, end = peer.client.read(), peer.client.read()
        assert thread in {None, event["payload"]["thread"]}
        assert (end["event"], end["payload"], end["req_id"]) == ("ws.complete", {"events": 1}, req_id)
    peer.client.write("{}")
    assert peer.client.read()["code"] == "invalid_websocket_message"


# What takes long


def test_a_handler_that_blocks_is_ended_at_its_time_and_the_next_message_waits_for_it(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry, limits=Limits(action_timeout=0.2)))
    blocked, later = peer.client.send("block"), peer.client.send("plain")
    end = peer.client.read()
    assert (end["req_id"], end["code"]) == (blocked, "action_timeout")
    gate.set()
    answer = peer.client.read()
    assert (answer["req_id"], answer["seq"]) == (later, 1)
    peer.ask_until_here()


def test_an_action_that_blocks_may_have_a_time_limit_of_its_own(threads: Threads, gate: threading.Event) -> None:
    registry = Registry()

    @registry.action("block", timeout=0.2)
    def block() -> None:
        gate.wait(PATIENCE)

    peer = threads.connect(hub_of(registry, limits=Limits(action_timeout=None)))
    assert peer.client.ask("block")["code"] == "action_timeout"


def test_a_call_that_ends_in_its_thread_while_it_is_stopped_has_one_end(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry), V1)
    blocked = peer.client.send("block")
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)

    def stop_and_let_end() -> None:
        call = peer.session._current
        assert call is not None
        peer.session._stop(call, "cancelled")
        # The loop does not get to telling the end: the thread is first.
        gate.set()
        wait_until(lambda: call.ended)

    threads.on_loop(stop_and_let_end)
    assert peer.client.read()["event"] == "where"
    end = peer.client.read()
    assert (end["req_id"], end["code"]) == (blocked, "cancelled")
    assert peer.client.ask("plain")["event"] == "where"


def test_what_runs_beside_can_be_cancelled_from_the_thread(threads: Threads, registry: Registry) -> None:
    begun = threading.Event()

    @registry.action("beside", concurrency=2)
    async def beside() -> None:
        begun.set()
        await asyncio.sleep(PATIENCE)

    peer = threads.connect(hub_of(registry), V1)
    running = peer.client.send("beside")
    assert begun.wait(PATIENCE)
    ends = {peer.client.ask("plain")["event"], peer.client.read()["event"]}
    assert ends == {"where", "ws.complete"}
    wait_until(lambda: peer.session._mine)
    cancel = peer.client.send("ws.cancel", {"req_id": running})
    told = {end["req_id"]: end.get("code") or end["event"] for end in (peer.client.read(), peer.client.read())}
    assert told == {running: "cancelled", cancel: "ws.complete"}


def test_a_message_that_cannot_be_taken_does_not_end_the_connection(
    threads: Threads, registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: ThreadedSession, call: Any) -> None:
        raise ValueError("of ours")

    peer = threads.connect(hub_of(registry))
    with monkeypatch.context() as patched:
        patched.setattr(ThreadedSession, "_receive_call", fail)
        peer.client.send("coroutine")
        wait_until(lambda: "could not take a message" in caplog.text)
    assert peer.client.ask("coroutine")["event"] == "where"


def test_a_loop_that_ends_during_a_handler_does_not_hold_the_thread(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry))
    peer.client.send("block")
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    ended = EndedLoop()
    own, peer.session._loop = peer.session._loop, ended
    gate.set()
    wait_until(lambda: ended.asked)
    peer.session._loop = own
    ended.close()
    peer.client.leave()
    peer.gone()


class EndedLoop(asyncio.BaseEventLoop):
    """A loop that says it is closed, and notes who asked."""

    asked = False

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        self.asked = True
        raise RuntimeError("Event loop is closed")


def test_without_a_time_limit_it_may_take_as_long_as_it_likes(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry, limits=Limits(action_timeout=None)))
    peer.client.send("block")
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    gate.set()
    assert peer.client.read()["event"] == "where"


def test_a_disconnect_is_seen_while_a_handler_blocks(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    gone = threading.Event()
    hub = hub_of(registry, on_disconnect=lambda context: gone.set())
    peer = threads.connect(hub)
    peer.client.send("block")
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    peer.client.leave()
    wait_until(lambda: not hub.connections)
    gate.set()
    assert gone.wait(PATIENCE)
    peer.gone()


def test_pings_are_answered_while_a_handler_blocks(threads: Threads, registry: Registry, gate: threading.Event) -> None:
    peer = threads.connect(hub_of(registry))
    peer.client.write("ping")
    assert peer.client.line() == "pong"
    peer.client.send("block")
    # First to the connection's own thread, then to the loop, which reads in its place.
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    peer.client.write("ping")
    assert peer.client.line() == "pong"
    gate.set()
    assert peer.client.read()["event"] == "where"


def test_a_blocking_call_can_be_cancelled_and_its_id_is_taken_meanwhile(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    peer = threads.connect(hub_of(registry), V1)
    blocked = peer.client.send("block")
    peer.client.write(envelope("plain", {}, req_id=blocked))
    peer.client.send("ws.cancel", {"req_id": blocked})
    ends = [peer.client.read() for _ in range(2)]
    assert {"cancelled", "ws.complete"} == {end.get("code") or end["event"] for end in ends}
    gate.set()
    assert peer.client.read()["code"] == "conflict"
    assert peer.client.ask("plain")["event"] == "where"


def test_messages_that_were_read_before_come_first(threads: Threads, registry: Registry, gate: threading.Event) -> None:
    peer = threads.connect(hub_of(registry))
    peer.ask_until_here()
    asked = [peer.client.send(action) for action in ("plain", "block", "plain", "coroutine", "plain")]
    first = peer.client.read()
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    asked += [peer.client.send("plain") for _ in range(5)]
    gate.set()
    assert [first["req_id"], *(peer.client.read()["req_id"] for _ in range(9))] == asked


def test_a_problem_that_lacks_something_is_an_internal_error(threads: Threads) -> None:
    registry = Registry()

    class Banned(Problem):
        def __init__(self) -> None: ...

    @registry.action("plain")
    def plain() -> Where:
        return where()

    @registry.action("act")
    def act() -> None:
        raise Banned

    peer = threads.connect(hub_of(registry))
    peer.ask_until_here()
    assert peer.client.ask("act")["code"] == "internal_error"
    peer.ask_until_here()


def test_a_generator_that_is_stopped_is_not_asked_for_more(threads: Threads, gate: threading.Event) -> None:
    registry = Registry()
    given: list[int] = []

    @registry.action("stream")
    def stream() -> Iterator[Said]:
        for number in range(3):
            given.append(number)
            yield Said(text=str(number))
            gate.wait(PATIENCE)

    @registry.action("plain")
    def plain() -> Where:
        return where()

    peer = threads.connect(hub_of(registry, limits=Limits(action_timeout=0.2)))
    peer.client.send("stream")
    assert peer.client.read()["payload"]["text"] == "0"
    assert peer.client.read()["code"] == "action_timeout"
    gate.set()
    assert peer.client.ask("plain")["seq"] == 2
    assert given == [0, 1]


def test_a_call_that_is_stopped_while_it_waits_for_the_loop(threads: Threads) -> None:
    registry = Registry()
    entered = threading.Event()

    @registry.recipient("slow")
    async def slow(recipient_id: str) -> list[str]:
        entered.set()
        await asyncio.sleep(60)
        return []

    @registry.action("emit")
    def emit(context: ActionContext) -> Said:
        raise_if_stopped(context)
        return Said(text="never")

    def raise_if_stopped(context: ActionContext) -> None:
        entered.wait(PATIENCE)
        raise asyncio.CancelledError

    peer = threads.connect(hub_of(registry, limits=Limits(action_timeout=0.2)))
    peer.client.send("emit")
    end = peer.client.read()
    assert end["code"] == "action_timeout"
    entered.set()
    assert peer.client.ask("health")["event"] == "health"


def test_the_drain_waits_for_a_handler_in_a_thread_and_takes_no_more(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    hub = hub_of(registry)
    peer, idle = threads.connect(hub), threads.connect(hub)
    idle.ask_until_here()
    blocked = peer.client.send("block")
    wait_until(lambda: peer.session._current is not None)
    draining = threading.Thread(target=lambda: threads.loop.run(hub.drain()))
    draining.start()
    assert idle.client.line() == "close 1012 The server restarts."
    idle.client.write("bye 1012")
    late = peer.client.send("plain")
    # What nobody has read when the running action ends is told by the close frame alone.
    wait_until(lambda: threads.on_loop(lambda: bool(peer.session._inbox)))
    gate.set()
    assert peer.client.read()["req_id"] == blocked
    problem = peer.client.read()
    assert (problem["req_id"], problem["code"]) == (late, "unavailable")
    assert peer.client.line() == "close 1012 The server restarts."
    peer.client.write("bye 1012")
    draining.join(PATIENCE)
    assert not hub.connections
    for each in (peer, idle):
        each.gone()
        assert each.session.close_code == 1012


def test_a_client_that_does_not_answer_the_close_frame_is_dropped(
    threads: Threads, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.threaded._CLOSE_SECONDS", 0.05)
    peer = threads.connect(hub_of(registry))
    peer.session.close_threadsafe(1000, "bye")
    peer.gone()
    assert peer.client.line() == "close 1000 bye"
    assert peer.wire.dropped


def test_a_client_that_does_not_even_read_is_dropped(
    threads: Threads, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.threaded._CLOSE_SECONDS", 0.05)
    hub = hub_of(registry)
    peer = threads.connect(hub, rooms=["lobby"])
    peer.ask_until_here()
    hub.emit_sync(Said(text=LARGE), to=room("lobby"))
    peer.session.close_threadsafe(1000, "bye")
    peer.gone()
    assert peer.wire.dropped


def test_a_thread_that_waits_for_its_client_to_read_is_let_go(
    threads: Threads, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.threaded._CLOSE_SECONDS", 0.05)

    @registry.action("large")
    def large() -> Said:
        return Said(text=LARGE)

    # The thread would wait for longer than the test does.
    peer = threads.connect(hub_of(registry, limits=Limits(send_timeout=10 * PATIENCE)))
    peer.client.send("large")
    wait_until(lambda: peer.wire.waiting)
    peer.session.close_threadsafe(1000, "bye")
    peer.gone()
    assert peer.wire.dropped


def test_nothing_is_sent_once_the_end_has_begun(threads: Threads, registry: Registry) -> None:
    hub = hub_of(registry)
    peer = threads.connect(hub)
    peer.ask_until_here()
    peer.client.leave()
    peer.gone()
    session = peer.session
    encoded: Any = None
    assert not session.push(encoded, "")
    assert threads.loop.run(_wait_for(session.answer(encoded, "")))
    session.nudge()
    session.wake_reader()
    session.look()


def test_a_reader_that_fails_says_so_and_the_connection_ends(
    threads: Threads, registry: Registry, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    peer = threads.connect(hub_of(registry))
    peer.client.send("block")
    wait_until(lambda: threads.on_loop(lambda: peer.session._stand_in) is not None)
    threads.on_loop(lambda: setattr(peer.wire, "receive", fail))
    peer.client.write("x")
    wait_until(lambda: "could not be read" in caplog.text)
    peer.wire.receive = lambda *, wait: None  # type: ignore[method-assign]
    gate.set()
    peer.gone()


def test_the_loop_that_ends_first_lets_the_thread_go(threads: Threads, registry: Registry) -> None:
    peer = threads.connect(hub_of(registry))
    peer.ask_until_here()
    closed_loop = asyncio.new_event_loop()
    closed_loop.close()
    own, peer.session._loop = peer.session._loop, closed_loop
    try:
        with pytest.raises(ConnectionError, match="loop has ended"):
            peer.session._offer("x")
    finally:
        peer.session._loop = own


def test_a_function_that_is_not_async_must_not_wait() -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    async def give() -> int:
        return 1

    assert _run_to_end(give()) == 1
    with pytest.raises(RuntimeError, match="make it an async function"):
        _run_to_end(wait())


def fail(*, wait: bool) -> list[str | bytes]:
    raise ValueError("of the transport")


async def _wait_for(awaitable: Any) -> bool:
    await awaitable
    return True


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again until something is true."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE / 0.002)):
        if condition():
            return
        deadline.wait(0.002)
    raise AssertionError("it never was")


def test_who_sends_too_much_is_told_in_whatever_thread(threads: Threads, registry: Registry) -> None:
    hub = hub_of(registry, limits=Limits(rate=(0.001, 5)))
    peer = threads.connect(hub)
    refused = 0
    while refused < 3:
        refused += peer.client.ask("plain").get("code") == "rate_limited"
    peer.client.write("no message")
    assert peer.client.read()["code"] == "rate_limited"
    assert hub.stats().counters == {"rate_limited": 4}


def test_a_client_whose_handler_blocks_is_not_silent(
    threads: Threads, registry: Registry, gate: threading.Event
) -> None:
    hub = hub_of(registry, limits=Limits(idle_timeout=0.4))
    peer = threads.connect(hub)
    peer.ask_until_here()
    peer.client.send("block")
    peer.client.sock.settimeout(1.0)
    with pytest.raises(TimeoutError):
        peer.client.line()
    assert peer.session.is_busy
    assert threads.on_loop(lambda: peer.session.is_open)
    gate.set()
    peer.client = Client(peer.client.sock)
    assert peer.client.read()["event"] == "where"
    assert peer.client.line().startswith("close 3008 ")


def test_what_a_slow_client_never_gets_is_counted_and_shows_in_the_numbers(
    threads: Threads, registry: Registry
) -> None:
    hub = hub_of(registry, limits=Limits(slow_consumer="drop_oldest", outbox_messages=2, send_timeout=None))
    peer = threads.connect(hub, rooms=["lobby"])
    peer.ask_until_here()
    # The reader's thread may still have the pen from its answer, and what comes then would wait like the rest.
    wait_until(lambda: not peer.session._threaded_outbox.writing)
    before = peer.session._seq
    hub.emit_sync(Said(text=LARGE), to=room("lobby"))
    for number in range(9):
        hub.emit_sync(Said(text=f"{number}"), to=room("lobby"))
    received = [peer.client.read() for _ in range(3)]
    assert [each["payload"]["text"] for each in received[1:]] == ["7", "8"]
    assert [each["seq"] - before for each in received] == [1, 9, 10]
    assert hub.stats().counters == {"lost_events": 7}


def test_a_message_that_comes_while_the_last_one_still_ends_is_looked_at_again(
    threads: Threads, registry: Registry
) -> None:
    peer = threads.connect(hub_of(registry))
    session = peer.session
    held: Any = object()

    def take_over_while_something_ends() -> None:
        session._held = held
        session._take_over(envelope("plain", {}))
        session._held = None

    threads.on_loop(take_over_while_something_ends)
    call = session._replies.get(timeout=PATIENCE)
    assert call is not None
    assert call.action.name == "plain"
