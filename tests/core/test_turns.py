"""What of a connection runs, what waits for it, and how it is stopped."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.core.held import Gate, Said, Text, held_registry
from tests.core.peer import PLAIN, V1, Peer, envelope, hub_of, opened, peer, until
from wsproto_core import (
    ActionContext,
    Limits,
    Problem,
    Registry,
    connection,
)
from wsproto_core.ids import new_id

# Order


async def test_messages_that_come_while_a_handler_runs_wait_and_are_answered_in_order() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate))) as client:
        await client.send("held", {"text": "1"})
        await client.raw("no JSON")
        await client.send("say", {"text": "3"})
        await client.send("held", {"text": "4"})
        await until(lambda: gate.entered)
        assert client.unread() == []
        gate.open.set()
        answers = [await client.read() for _ in range(4)]
    assert [answer.get("code") or answer["payload"]["text"] for answer in answers] == [
        "1",
        "invalid_websocket_message",
        "3",
        "4",
    ]
    assert [answer.get("seq") for answer in answers] == [1, None, 2, 3]


async def test_a_message_is_not_begun_before_the_one_before_it_has_ended() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate))) as client:
        await client.send("held")
        await client.send("held")
        await until(lambda: gate.entered)
        await asyncio.sleep(0)
        assert gate.entered == 1


async def test_an_answer_after_the_server_has_closed_is_dropped() -> None:
    registry = Registry()

    @registry.action("bye")
    async def bye(context: ActionContext) -> Said:
        await context.close(1000, "Bye.")
        await context.emit(Said(), to=connection(context.connection_id))
        return Said(text="too late")

    async with peer(hub_of(registry), V1) as client:
        await client.send("bye")
        assert await client.cut() == (1000, "Bye.")
        assert client.unread() == []


async def test_a_thousand_messages_in_one_go_are_answered_in_order_and_numbered_without_holes() -> None:
    registry = Registry()

    @registry.action("count")
    async def count(payload: Text) -> Said:
        await asyncio.sleep(0)
        return Said(text=payload.text)

    async with peer(hub_of(registry)) as client:
        for number in range(1_000):
            await client.send("count", {"text": str(number)})
        answers = [await client.read() for _ in range(1_000)]
    assert [answer["payload"]["text"] for answer in answers] == [str(number) for number in range(1_000)]
    assert [answer["seq"] for answer in answers] == list(range(1, 1_001))


async def test_concurrency_runs_so_many_of_an_action_at_once_and_holds_the_next() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, concurrency=2))) as client:
        for number in "1234":
            await client.send("held", {"text": number})
        await client.send("say", {"text": "5"})
        await until(lambda: gate.entered == 2)
        await asyncio.sleep(0)
        assert gate.entered == 2
        assert client.unread() == []
        gate.open.set()
        answers = [await client.read() for _ in range(5)]
    assert sorted(answer["payload"]["text"] for answer in answers) == list("12345")
    assert [answer["seq"] for answer in answers] == [1, 2, 3, 4, 5]


async def test_concurrent_actions_do_not_hold_up_the_others() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, concurrency=2))) as client:
        await client.send("held")
        assert (await client.ask("say", {"text": "meanwhile"}))["payload"] == {"text": "meanwhile"}
        gate.open.set()
        assert (await client.read())["payload"] == {"text": ""}


async def test_a_concurrent_handler_that_does_not_wait_is_answered_at_once() -> None:
    registry = Registry()

    @registry.action("quick", concurrency=2)
    async def quick() -> Said:
        return Said(text="quick")

    async with peer(hub_of(registry)) as client:
        assert [(await client.ask("quick"))["seq"] for _ in range(3)] == [1, 2, 3]


async def test_an_invalid_message_for_a_concurrent_action_is_answered_in_its_place() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, concurrency=2))) as client:
        await client.send("held")
        assert (await client.ask("held", {"text": 1}))["code"] == "invalid_payload"
        gate.open.set()
        assert (await client.read())["event"] == "said"


# Backpressure


async def test_a_full_inbox_stops_the_reader_until_there_is_room() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate), limits=Limits(inbox=3))) as client:
        for _ in range(3):  # one runs, two wait
            await client.send("held")
        reader = asyncio.create_task(client.send("held"))
        await until(lambda: gate.entered)
        await asyncio.sleep(0)
        assert not reader.done()
        gate.open.set()
        await reader
        assert [(await client.read())["seq"] for _ in range(4)] == [1, 2, 3, 4]


async def test_the_inbox_is_bounded_in_bytes_too() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate), limits=Limits(inbox_bytes=1_000)), V1) as client:
        await client.send("held")
        await client.send("held", {"text": "x" * 500})
        reader = asyncio.create_task(client.send("held", {"text": "x" * 500}))
        await until(lambda: gate.entered)
        await asyncio.sleep(0)
        assert not reader.done()
        gate.open.set()
        await reader


async def test_what_has_left_the_inbox_does_not_count_any_more() -> None:
    turns = asyncio.Semaphore(0)
    registry = Registry()

    @registry.action("turn")
    async def turn(payload: Text) -> Said:
        await turns.acquire()
        return Said()

    async with peer(hub_of(registry, limits=Limits(inbox_bytes=2_000)), V1) as client:
        await client.send("turn")
        await client.send("turn")
        for _ in range(10):  # there is always one waiting, and never much
            await client.send("turn", {"text": "x" * 500})
            turns.release()
            assert (await client.read())["event"] == "said"
            assert (await client.read())["event"] == "ws.complete"


async def test_a_reader_that_waits_for_room_is_let_go_when_the_connection_ends() -> None:
    gate = Gate()
    for end in ("closed", "close"):
        async with peer(hub_of(held_registry(gate), limits=Limits(inbox=1))) as client:
            await client.send("held")
            reader = asyncio.create_task(client.send("held"))
            await until(lambda: gate.entered)
            assert not reader.done()
            getattr(client.session, end)(1000, "")
            await reader


async def answered_meanwhile(other: Peer, greedy: Peer, flood: Coroutine[Any, Any, Any]) -> int:
    """Let one client flood the server, ask as another, and return how many answers the first one had by then."""
    flooding = asyncio.create_task(flood)
    await until(lambda: greedy.session._seq > 1)
    assert (await other.ask("health"))["event"] == "health"
    had = greedy.session._seq
    await flooding
    return had


async def test_readers_that_wait_for_room_are_all_let_go() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate), limits=Limits(inbox=1))) as client:
        await client.send("held")
        readers = [asyncio.create_task(client.send("held")) for _ in range(3)]
        await until(lambda: len(client.session._inbox or ()) == 3)
        assert not any(reader.done() for reader in readers)
        gate.open.set()
        await asyncio.gather(*readers)
        assert [(await client.read())["seq"] for _ in range(4)] == [1, 2, 3, 4]


async def test_a_client_that_sends_without_pause_does_not_starve_another() -> None:
    """The reader of a host that has a pile of frames never waits by itself."""
    hub = hub_of()
    async with peer(hub) as greedy, peer(hub) as other:
        frame = envelope("health")

        async def flood() -> None:
            for _ in range(2_000):
                await greedy.session.receive(frame)

        assert await answered_meanwhile(other, greedy, flood()) < 1_000


async def test_a_client_that_cancels_without_pause_does_not_starve_another() -> None:
    hub = hub_of()
    async with peer(hub, V1) as greedy, peer(hub) as other:
        frames = [envelope("ws.cancel", {"req_id": new_id()}) for _ in range(2_000)]

        async def flood() -> None:
            for frame in frames:
                await greedy.session.receive(frame)

        assert await answered_meanwhile(other, greedy, flood()) < 1_000


async def test_cancels_of_a_client_that_does_not_read_are_held_back() -> None:
    async with peer(hub_of(limits=Limits(outbox_messages=5, inbox=5)), V1) as client:
        client.transport.stop_reading()
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(1_000):
                await client.send("ws.cancel", {"req_id": new_id()})
                sent += 1

        before = len(asyncio.all_tasks())
        flooding = asyncio.create_task(flood())
        # Whether it is held back is seen when nothing has moved for many turns.
        for _ in range(2_000):
            await asyncio.sleep(0)
        assert sent < 100
        assert len(asyncio.all_tasks()) - before < 50
        client.transport.resume_reading()
        await flooding
        assert sent == 1_000
        for number in range(1_000):
            # Each of them is an event and an end.
            assert (await client.read())["event"] == "ws.complete", number


async def test_a_call_that_is_cancelled_while_its_exception_is_handled_has_its_end_at_once() -> None:
    registry = held_registry(Gate())
    handling = asyncio.Event()

    @registry.exception_handler(KeyError)
    async def handle(error: KeyError) -> Problem:
        handling.set()
        await asyncio.Event().wait()
        raise AssertionError

    @registry.action("bad")
    async def bad() -> None:
        raise KeyError

    async with peer(hub_of(registry), V1) as client:
        request = await client.send("bad")
        await handling.wait()
        cancel = await client.send("ws.cancel", {"req_id": request})
        following = await client.send("say")
        ends = [await client.read() for _ in range(4)]
        assert [(each["req_id"], each.get("code", each.get("event"))) for each in ends] == [
            (cancel, "ws.complete"),
            (request, "cancelled"),
            (following, "said"),
            (following, "ws.complete"),
        ]
        assert not client.session._abandoned


async def test_a_call_that_is_cancelled_before_it_begins_has_its_end_at_once() -> None:
    """On Python 3.11, where a task does not run before the loop comes to it."""
    async with peer(hub_of(held_registry(Gate())), V1) as client:
        request = new_id()
        for action, payload, req_id in (("say", {}, request), ("ws.cancel", {"req_id": request}, new_id())):
            await client.session.receive(envelope(action, payload, req_id=req_id))
        assert (await client.end_of(request)).get("code") in {"cancelled", None}
        assert not client.session._abandoned


async def test_what_waits_when_a_drain_begins_has_its_end() -> None:
    gate = Gate()
    hub = hub_of(held_registry(gate))
    client = await opened(hub, V1)
    assert (await client.read())["event"] == "ws.ready"
    requests = [await client.send("held"), *[await client.send("say") for _ in range(100)]]
    draining = asyncio.create_task(hub.drain())
    assert (await client.read())["event"] == "ws.drain"
    gate.open.set()
    for request in requests:
        await client.end_of(request)
    await client.cut()
    await client.leave()
    await draining


async def test_a_handler_that_takes_long_without_waiting_gives_way_after_each_message() -> None:
    registry = Registry()

    @registry.action("busy")
    async def busy() -> Said:
        end = time.perf_counter() + 0.006
        while time.perf_counter() < end:
            pass
        return Said()

    hub = hub_of(registry)
    async with peer(hub) as greedy, peer(hub) as other:
        frame = envelope("busy")

        async def flood() -> None:
            for _ in range(20):
                await greedy.session.receive(frame)

        assert await answered_meanwhile(other, greedy, flood()) < 10


async def test_a_long_queue_gives_way_to_others_while_it_is_worked_off() -> None:
    gate = Gate()
    hub = hub_of(held_registry(gate))
    async with peer(hub) as greedy, peer(hub) as other:
        await greedy.send("held")
        for _ in range(500):
            await greedy.send("say")

        async def flood() -> None:
            gate.open.set()

        assert await answered_meanwhile(other, greedy, flood()) < 250


# Stopping


async def test_an_action_that_runs_too_long_ends_as_a_time_out_and_the_next_message_is_answered() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, timeout=0.01)), V1) as client:
        slow = await client.send("held")
        following = await client.send("say")
        end = await client.read()
        assert (end["code"], end["status"], end["req_id"], end["retryable"]) == ("action_timeout", 504, slow, True)
        assert gate.cancelled == 1
        assert (await client.end_of(following))["payload"] == {"events": 1}


async def test_the_limit_of_the_hub_holds_where_the_action_has_none_of_its_own() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate), limits=Limits(action_timeout=0.01))) as client:
        assert (await client.ask("held"))["code"] == "action_timeout"


@pytest.mark.parametrize("limit", [float("inf"), None])
async def test_an_action_without_a_limit_is_not_timed(limit: float | None) -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, timeout=limit), limits=Limits(action_timeout=None))) as client:
        await client.send("held")
        await until(lambda: gate.entered)
        assert client.session._serial.deadline is None
        gate.open.set()
        assert (await client.read())["event"] == "said"


async def test_a_handler_that_ignores_its_time_out_is_ended_without_it_once_and_in_order(
    short_grace: None, caplog: pytest.LogCaptureFixture
) -> None:
    release = asyncio.Event()
    stubborn_ended = asyncio.Event()
    registry = Registry()

    @registry.action("stubborn", timeout=0.01)
    async def stubborn() -> Said:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        stubborn_ended.set()
        return Said(text="too late")

    async with peer(hub_of(registry), V1) as client:
        first = await client.send("stubborn")
        second = await client.send("health")
        end = await client.read()
        assert (end["req_id"], end["code"]) == (first, "action_timeout")
        assert "time limit" in end["detail"]
        assert "does not let itself be cancelled" in caplog.text
        assert [(await client.read())["req_id"] for _ in range(2)] == [second, second]
        release.set()
        await stubborn_ended.wait()
        last = await client.send("health")
        answers = [await client.read() for _ in range(2)]
        assert [answer["req_id"] for answer in answers] == [last, last], "a request ends once"
        assert [answer["seq"] for answer in answers] == [4, 5]


async def test_a_handler_that_was_given_up_is_cancelled_when_the_connection_ends(short_grace: None) -> None:
    cancelled = 0
    registry = Registry()
    ended = asyncio.Event()

    @registry.action("stubborn", timeout=0.01)
    async def stubborn() -> None:
        nonlocal cancelled
        while cancelled < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
        ended.set()

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("stubborn"))["code"] == "action_timeout"
        assert not ended.is_set()
    async with asyncio.timeout(5):
        await ended.wait()


@pytest.mark.parametrize("result", [None, Said(text="anyway"), [Said(), Said()]], ids=["nothing", "event", "events"])
async def test_a_handler_that_swallows_its_time_out_ends_as_a_time_out_all_the_same(result: Any) -> None:
    registry = Registry()

    @registry.action("swallow", timeout=0.01)
    async def swallow() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return result

    async with peer(hub_of(registry), V1) as client:
        req_id = await client.send("swallow")
        end = await client.end_of(req_id)
        assert end["code"] == "action_timeout"
        assert (await client.ask("health"))["event"] == "health"


async def test_handlers_that_run_side_by_side_are_given_up_one_by_one(short_grace: None) -> None:
    registry = Registry()
    release = asyncio.Event()

    @registry.action("stubborn", timeout=0.01, concurrency=3)
    async def stubborn(payload: Text) -> Said:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                if payload.text == "good":
                    raise
        return Said()

    async with peer(hub_of(registry), V1) as client:
        sent = [await client.send("stubborn", {"text": text}) for text in ("bad", "good", "bad")]
        ends = [await client.read() for _ in sent]
        assert {end["req_id"] for end in ends} == set(sent)
        assert {end["code"] for end in ends} == {"action_timeout"}
        assert (await client.ask("health"))["event"] == "health"
        release.set()
        await until(lambda: not client.session._abandoned)


async def test_an_action_can_clean_up_when_it_is_stopped() -> None:
    registry = Registry()

    @registry.action("tidy", timeout=0.01)
    async def tidy(context: ActionContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            context.state["tidied"] = True

    async with peer(hub_of(registry)) as client:
        assert (await client.ask("tidy"))["code"] == "action_timeout"
        assert client.session.state == {"tidied": True}


async def test_a_time_out_while_an_event_is_written_leaves_no_hole_in_the_numbering() -> None:
    registry = Registry()

    @registry.action("stream", timeout=0.02)
    async def stream(context: ActionContext) -> None:
        while True:
            await context.emit(Said())
            await asyncio.sleep(0)

    async with peer(hub_of(registry, limits=Limits(outbox_messages=3)), V1) as client:
        client.transport.stop_reading()
        req_id = await client.send("stream")
        call = client.session._serial
        await until(lambda: call.stop_reason)
        client.transport.resume_reading()
        seen = []
        while (message := await client.read()).get("code") != "action_timeout":
            seen.append(message["seq"])
        assert message["req_id"] == req_id
        seen.append((await client.ask("health"))["seq"])
        assert seen == list(range(2, 2 + len(seen)))


async def test_a_write_that_the_handler_gave_up_waiting_for_leaves_no_hole_and_changes_no_order() -> None:
    """A handler may wrap a time limit of its own around an emit; the frame is on its way all the same."""
    gave_up = 0
    registry = Registry()

    @registry.action("impatient")
    async def impatient(context: ActionContext) -> Said:
        nonlocal gave_up
        for _ in range(2):
            try:
                async with asyncio.timeout(0.01):
                    await context.emit(Said(text=f"given up {gave_up}"))
            except TimeoutError:
                gave_up += 1
        return Said(text="last")

    async with peer(hub_of(registry, limits=Limits(outbox_messages=1)), V1) as client:
        client.transport.stop_reading()
        await client.send("impatient")
        await until(lambda: client.session._seq == 2)
        await client.session.hub.emit(Said(text="from elsewhere"), to=connection(client.id))
        await until(lambda: gave_up)
        client.transport.resume_reading()
        answers = [await client.read() for _ in range(5)]
    assert [answer["seq"] for answer in answers] == [2, 3, 4, 5, 6]
    assert [answer["payload"].get("text") for answer in answers] == [
        "given up 0",
        "from elsewhere",
        "given up 1",
        "last",
        None,
    ]


async def test_a_middleware_with_a_time_limit_leaves_no_hole_in_the_numbering() -> None:
    registry = Registry()

    @registry.middleware
    async def limited(call: Any, following: Any) -> int:
        try:
            async with asyncio.timeout(0.01):
                return await following(call)
        except TimeoutError:
            raise Problem(status=504, code="too_slow") from None

    @registry.action("say")
    async def say() -> list[Said]:
        return [Said(), Said()]

    async with peer(hub_of(registry), V1) as client:
        client.transport.stop_reading()
        req_id = await client.send("say")
        await until(lambda: client.session._outbox.queued)
        client.transport.resume_reading()
        assert (await client.read())["seq"] == 2
        assert (await client.end_of(req_id))["code"] == "too_slow"
        assert (await client.ask("health"))["seq"] == 3


# ws.cancel


async def test_a_running_request_is_cancelled_on_arrival_past_the_queue() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        running = await client.send("held")
        queued = await client.send("say")
        await until(lambda: gate.entered)
        cancel = await client.send("ws.cancel", {"req_id": running})
        ends = {}
        for _ in range(4):
            message = await client.read()
            if message.get("event") != "said":
                ends[message["req_id"]] = message.get("code") or message["event"]
        assert gate.cancelled == 1
        assert ends == {running: "cancelled", queued: "ws.complete", cancel: "ws.complete"}


async def test_a_queued_request_is_cancelled_without_having_run() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        running = await client.send("held")
        queued = await client.send("held")
        await until(lambda: gate.entered)
        cancel = await client.send("ws.cancel", {"req_id": queued.upper()})
        assert (await client.read())["req_id"] == cancel
        gate.open.set()
        assert (await client.end_of(running))["event"] == "ws.complete"
        end = await client.read()
        assert (end["req_id"], end["code"], end["status"]) == (queued, "cancelled", 499)
        assert gate.entered == 1


async def test_a_request_that_waits_for_its_concurrency_is_cancelled_without_having_run() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate, concurrency=2)), V1) as client:
        running = [await client.send("held") for _ in range(2)]
        held = await client.send("held")
        await until(lambda: gate.entered == 2)
        await client.send("ws.cancel", {"req_id": held})
        assert (await client.read())["event"] == "ws.complete"
        gate.open.set()
        ends = {}
        while len(ends) < 3:
            message = await client.read()
            if message.get("event") != "said":
                ends[message["req_id"]] = message.get("code") or message["event"]
        assert ends == {running[0]: "ws.complete", running[1]: "ws.complete", held: "cancelled"}
        assert gate.entered == 2


async def test_cancelling_what_is_not_there_completes() -> None:
    async with peer(hub_of(), V1) as client:
        cancel = await client.send("ws.cancel", {"req_id": new_id()})
        end = await client.read()
        assert (end["event"], end["req_id"], end["payload"]) == ("ws.complete", cancel, {"events": 0})


async def test_a_cancel_that_names_itself_completes() -> None:
    async with peer(hub_of(), V1) as client:
        own = new_id()
        await client.send("ws.cancel", {"req_id": own}, req_id=own)
        end = await client.read()
        assert (end["event"], end["req_id"]) == ("ws.complete", own)
        assert (await client.ask("health"))["seq"] == 3


async def test_cancelling_twice_ends_the_request_once() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        running = await client.send("held")
        await until(lambda: gate.entered)
        cancels = [await client.send("ws.cancel", {"req_id": running}) for _ in range(2)]
        ended = [(await client.read())["req_id"] for _ in range(3)]
        assert sorted(ended) == sorted([running, *cancels])
        assert (await client.ask("health"))["event"] == "health"


async def test_an_invalid_cancel_is_a_problem_in_its_place_in_the_order() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        running = await client.send("held")
        await until(lambda: gate.entered)
        invalid = await client.send("ws.cancel", {"req_id": "this one"})
        gate.open.set()
        assert (await client.end_of(running))["event"] == "ws.complete"
        problem = await client.read()
        assert (problem["code"], problem["req_id"]) == ("invalid_payload", invalid)


async def test_a_plain_client_cannot_cancel_but_goes_on() -> None:
    async with peer(hub_of(), PLAIN) as client:
        await client.send("ws.cancel", {"req_id": new_id()})
        assert (await client.ask("health"))["event"] == "health"


# Request ids


async def test_two_requests_in_flight_with_one_req_id_are_a_conflict_for_v1() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), V1) as client:
        req_id = await client.send("held")
        await client.send("held", req_id=req_id.upper())
        gate.open.set()
        assert (await client.read())["event"] == "said"
        assert (await client.read())["event"] == "ws.complete"
        problem = await client.read()
        assert (problem["code"], problem["status"], problem["req_id"]) == ("conflict", 409, req_id)
        await client.send("say", req_id=req_id)
        assert (await client.end_of(req_id))["event"] == "ws.complete"


async def test_two_requests_in_flight_with_one_req_id_are_allowed_for_plain_clients() -> None:
    gate = Gate()
    async with peer(hub_of(held_registry(gate)), PLAIN) as client:
        req_id = await client.send("held", {"text": "1"})
        await client.send("held", {"text": "2"}, req_id=req_id)
        gate.open.set()
        answers = [await client.read() for _ in range(2)]
        assert [(answer["req_id"], answer["payload"]["text"]) for answer in answers] == [(req_id, "1"), (req_id, "2")]


async def test_requests_without_req_id_get_answers_without_it() -> None:
    gate = Gate()
    hub = hub_of(held_registry(gate), require_ids=False)
    for subprotocols in (PLAIN, V1):
        async with peer(hub, subprotocols) as client:
            await client.raw('{"action": "say", "payload": {"text": "bare"}}')
            answer = await client.read()
            assert answer["payload"] == {"text": "bare"}
            assert "req_id" not in answer
