"""What goes wrong in beeflow-websocket 0.3.0 and does not here: its contract on the wire is ours, its faults not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from tests.core.peer import PLAIN, V1, envelope, hub_of, peer, until
from wsproto_core import (
    Action,
    ActionContext,
    ActionEnvelope,
    Audience,
    DuplicateNameError,
    Event,
    Registry,
    default_registry,
    room,
    user,
)
from wsproto_core.security import NOT_GIVEN

events = Registry()


class Said(Event, name="said", registry=events):
    user_id: int | str | UUID | None = None
    text: str = ""


class Say(BaseModel):
    room: str
    text: str


def application() -> Registry:
    """Return an application with an action of each kind that beeflow stumbles over."""
    registry = Registry()

    @registry.action("say")
    async def say(payload: Say, context: ActionContext) -> AsyncIterator[Event]:
        await context.join(payload.room)
        yield Said(user_id=context.user_id, text=payload.text).to(room(payload.room))

    @registry.action("fail")
    async def fail() -> None:
        raise RuntimeError("the database password is hunter2")

    @registry.action("lost")
    async def lost() -> Event:
        return Said().to(Audience("session", "17"))

    @registry.action("whisper")
    async def whisper(payload: Say) -> list[Event]:
        return [Said(text=payload.text).to(user(payload.room)), Said(text="told")]

    return registry


@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
@pytest.mark.parametrize(
    "frame",
    [
        "this is no JSON",
        "",
        "{",
        "null",
        "true",
        "7",
        '"text"',
        "[]",
        "{}",
        b"\xff\xfe\x00",
        b"no JSON in bytes",
        b"null",
    ],
    ids=repr,
)
async def test_what_is_no_message_is_answered_and_the_connection_lives(
    frame: str | bytes, subprotocols: tuple[str, ...]
) -> None:
    async with peer(hub_of(application()), subprotocols) as client:
        await client.raw(frame)
        problem = await client.read()
        assert (problem["code"], problem["status"]) == ("invalid_websocket_message", 400)
        assert (await client.ask("health"))["payload"] == {"status": "ok"}


async def test_a_message_in_a_binary_frame_is_a_message() -> None:
    async with peer(hub_of(application())) as client:
        await client.raw(envelope("say", {"room": "lobby", "text": "in bytes"}).encode())
        assert (await client.read())["payload"] == {"user_id": None, "text": "in bytes"}


@pytest.mark.parametrize("action", ["fail", "lost"])
async def test_an_action_that_fails_does_not_kill_the_connection_and_tells_nothing(
    action: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with peer(hub_of(application())) as client:
        req_id = await client.send(action)
        problem = await client.read()
        assert (problem["code"], problem["status"], problem["req_id"]) == ("internal_error", 500, req_id)
        assert problem["detail"] == "Something went wrong on the server."
        assert (await client.ask("health"))["seq"] == 1
    [record] = caplog.records
    assert (record.name, record.levelno) == ("wsproto_core.dispatcher", logging.ERROR)
    fields = {"connection_id": client.id, "action": action, "req_id": req_id, "msg_id": problem["msg_id"]}
    assert vars(record).items() >= fields.items()


async def test_an_actions_own_validation_error_is_not_a_bad_envelope() -> None:
    async with peer(hub_of(application())) as client:
        problem = await client.ask("say", {"room": 7})
        assert (problem["code"], problem["status"]) == ("invalid_payload", 422)
        assert [error["pointer"] for error in problem["errors"]] == ["#/payload/room", "#/payload/text"]


@pytest.mark.parametrize(
    "user_id", [42, "ann", UUID("0b6a3d1e-0000-4000-8000-00000000000a"), None], ids=lambda each: type(each).__name__
)
async def test_a_user_id_may_be_text_or_a_uuid(user_id: Any) -> None:
    shown = str(user_id) if isinstance(user_id, UUID) else user_id
    for given in ({"user_id": user_id}, {"user_id": NOT_GIVEN}):
        async with peer(hub_of(application(), authenticate=lambda _: user_id), **given) as client:
            answer = await client.ask("say", {"room": "lobby", "text": "hi"})
            assert answer["payload"] == {"user_id": shown, "text": "hi"}


async def test_events_reach_other_connections() -> None:
    hub = hub_of(application())
    async with peer(hub, user_id="ann") as ann, peer(hub, user_id="bob") as bob:
        await bob.ask("say", {"room": "lobby", "text": "first"})
        req_id = await ann.send("say", {"room": "lobby", "text": "hi"})
        own, others = await ann.read(), await bob.read()
        assert own["payload"] == others["payload"] == {"user_id": "ann", "text": "hi"}
        assert own["req_id"] == req_id
        assert "req_id" not in others


async def test_each_receiver_has_its_own_numbers() -> None:
    """Not the sender's, of which a receiver once saw 2 and then 2."""
    hub = hub_of(application())
    async with peer(hub) as ann, peer(hub) as bob, peer(hub) as eve:
        clients = (ann, bob, eve)
        for client in clients:
            await client.send("say", {"room": "lobby", "text": "joined"})
            await client.settled()
        for _ in range(3):
            await ann.send("say", {"room": "lobby", "text": "hi"})
            await bob.send("health")
            await eve.raw("no JSON")
        for client, events_seen, problems_seen in zip(clients, (6, 8, 4), (0, 0, 3), strict=True):
            await client.settled()
            seen = await client.arrived()
            numbers = [message["seq"] for message in seen if "event" in message]
            assert numbers == list(range(1, events_seen + 1))
            assert len(seen) - len(numbers) == problems_seen


async def test_an_event_for_somebody_else_uses_up_no_number_of_the_sender() -> None:
    hub = hub_of(application())
    async with peer(hub, user_id="ann") as ann, peer(hub, user_id="bob") as bob:
        answer = await ann.ask("whisper", {"room": "bob", "text": "psst"})
        assert (answer["seq"], answer["payload"]["text"]) == (1, "told")
        whispered = await bob.read()
        assert (whispered["seq"], whispered["payload"]["text"]) == (1, "psst")
        assert (await ann.ask("nothing"))["code"] == "unknown_websocket_action"
        assert (await ann.ask("health"))["seq"] == 2


async def test_all_messages_are_handled_on_one_loop() -> None:
    """What belongs to a loop lives from one message to the next."""
    registry = Registry()
    waiting: list[asyncio.Future[str]] = []

    @registry.action("wait", concurrency=2)
    async def wait() -> Said:
        waiting.append(asyncio.get_running_loop().create_future())
        return Said(text=await waiting[0])

    @registry.action("wake")
    async def wake() -> Said:
        waiting[0].set_result("woken by another message")
        return Said(text="wake")

    async with peer(hub_of(registry)) as client:
        await client.send("wait")
        await until(lambda: waiting)
        await client.send("wake")
        answers = {(await client.read())["payload"]["text"] for _ in range(2)}
        assert answers == {"wake", "woken by another message"}


async def test_a_slow_action_does_not_hide_a_disconnect() -> None:
    registry = Registry()
    entered, cancelled = asyncio.Event(), asyncio.Event()
    ends: list[int] = []

    @registry.action("slow")
    async def slow() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with peer(hub_of(registry, on_disconnect=lambda _, code: ends.append(code))) as client:
        await client.send("slow")
        await entered.wait()
        await client.leave(1001)
        assert cancelled.is_set()
        assert ends == [1001]


async def test_a_slow_action_blocks_its_connection_only_as_far_as_the_order_demands() -> None:
    registry = Registry()
    go_on = asyncio.Event()

    @registry.action("slow", concurrency=5)
    async def slow() -> Said:
        await go_on.wait()
        return Said(text="slow")

    @registry.action("ordered")
    async def ordered() -> Said:
        await go_on.wait()
        return Said(text="ordered")

    hub = hub_of(registry)
    async with peer(hub, V1) as client, peer(hub) as other:
        await client.send("slow")
        assert (await client.ask("health"))["event"] == "health"
        assert (await client.read())["event"] == "ws.complete"
        running = await client.send("ordered")
        await client.send("health")
        assert (await other.ask("health"))["event"] == "health"
        assert client.unread() == []
        await client.send("ws.cancel", {"req_id": running})
        assert {(await client.read()).get("code", "ws.complete") for _ in range(2)} == {"cancelled", "ws.complete"}
        assert (await client.read())["event"] == "health"
        go_on.set()


def test_a_name_that_is_taken_is_not_replaced_silently() -> None:
    registry = application()

    async def other() -> None: ...

    with pytest.raises(DuplicateNameError, match="'say' is registered already"):
        registry.action("say")(other)
    with pytest.raises(DuplicateNameError):

        class Fail(Action, name="fail", registry=registry):
            async def execute(self, message: ActionEnvelope, context: ActionContext) -> None: ...

    with pytest.raises(DuplicateNameError):
        type("Other", (Event,), {}, name="said", registry=events)
    assert registry.actions["say"].function is not other
    registry.action("say", replace=True)(other)
    assert registry.actions["say"].function is other


async def test_two_applications_in_a_process_do_not_share_their_names() -> None:
    one, two = application(), Registry()

    @two.action("say")
    async def say(payload: Say) -> Said:
        return Said(text="the other one")

    answers = []
    for registry in (one, two):
        async with peer(hub_of(registry)) as client:
            answers.append((await client.ask("say", {"room": "lobby", "text": "this one"}))["payload"]["text"])
    assert answers == ["this one", "the other one"]
    assert "say" not in default_registry.actions


async def test_a_request_has_an_end_for_who_asks_for_it() -> None:
    async with peer(hub_of(application()), V1) as client:
        for action, payload, events_sent in (
            ("say", {"room": "lobby", "text": "hi"}, 1),
            ("whisper", {"room": "nobody", "text": "hi"}, 1),
            ("health", {}, 1),
        ):
            req_id = await client.send(action, payload)
            end = await client.end_of(req_id)
            assert (end["event"], end["payload"]) == ("ws.complete", {"events": events_sent})
        for action in ("fail", "nothing"):
            req_id = await client.send(action)
            assert "code" in await client.end_of(req_id)
