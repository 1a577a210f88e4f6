"""The client for tests of applications: calls, expectations that say what came instead, and what is captured."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ConfigDict, Field, computed_field

from tests.core.peer import until
from wsproto_core import (
    ActionContext,
    CloseCode,
    ConnectionInfo,
    Event,
    EventEnvelope,
    Limits,
    Problem,
    ProblemDetails,
    Registry,
    Router,
    action,
    default_registry,
    room,
    user,
)
from wsproto_core.security import AUTHENTICATE_LATER, NOT_GIVEN
from wsproto_core.testing import Client, MemoryTransport, Refused, captured, connect
from wsproto_core.testing import client as client_module

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""


class Left(Event, name="left", registry=events):
    user_id: int


class Renamed(Event, name="renamed", registry=events):
    text: str = Field(serialization_alias="words")


class Hidden(Event, name="hidden", registry=events):
    text: str = Field(exclude=True)


class Strict(Event, name="strict", registry=events):
    model_config = ConfigDict(extra="forbid")
    text: str

    @computed_field
    def length(self) -> int:
        return len(self.text)


class Raw:
    async def emit(self) -> EventEnvelope:
        return EventEnvelope(event="raw", recipient="room", recipient_id="lobby", payload={"a": 1})


@pytest.fixture
def registry() -> Registry:
    """An application with a few actions."""
    registry = Registry()

    @registry.action("say")
    async def say(payload: Said) -> Said:
        return Said(text=payload.text)

    @registry.action("tell")
    async def tell(context: ActionContext) -> AsyncIterator[Event]:
        yield Said(text="to the room").to(room("lobby"))
        yield Left(user_id=7)

    @registry.action("fail")
    async def fail() -> None:
        raise Problem("Not now.", status=409, code="not_now")

    @registry.action("bye")
    async def bye(context: ActionContext) -> None:
        await context.close(1000, "Bye.")

    return registry


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has what never comes fail at once."""
    monkeypatch.setattr(client_module, "_PATIENCE", 0.05)


# Calls


async def test_a_call_brings_what_came_back(registry: Registry) -> None:
    async with connect(registry) as client:
        reply = await client.call("say", {"text": "hi"})
        assert [event.payload for event in reply.events] == [{"text": "hi"}]
        assert reply.events[0].req_id == reply.req_id
        assert reply.problem is None
        assert reply.expect(Said) == Said(text="hi")


async def test_a_call_brings_the_problem_that_ended_it(registry: Registry) -> None:
    async with connect(registry) as client:
        reply = await client.call("fail")
        assert reply.events == []
        assert isinstance(reply.problem, ProblemDetails)
        assert (reply.problem.code, reply.problem.status, reply.problem.detail) == ("not_now", 409, "Not now.")
        with pytest.raises(AssertionError, match=r"(?s)No event 'said' came, but:\n  problem .*not_now"):
            reply.expect(Said)


async def test_an_expectation_shows_what_came_instead(registry: Registry) -> None:
    async with connect(registry, rooms=["lobby"]) as client:
        reply = await client.call("tell")
        assert reply.expect(Left).user_id == 7
        with pytest.raises(AssertionError) as caught:
            reply.expect(type("Other", (Event,), {}, name="other", registry=Registry()))
        assert str(caught.value) == (
            "No event 'other' came, but:\n"
            "  event 'said' to room 'lobby': {'text': 'to the room'}\n"
            f"  event 'left' to websocket '{client.connection_id}': {{'user_id': 7}}"
        )
        with pytest.raises(AssertionError, match="No event 'said' came, but: nothing"):
            (await client.call("ws.cancel", {"req_id": reply.req_id})).expect(Said)


async def test_what_comes_from_elsewhere_during_a_call_is_kept(registry: Registry) -> None:
    async with connect(registry, rooms=["lobby"]) as client:
        await client.hub.emit(Said(text="1"), to=room("lobby"))
        await client.send_raw("no JSON")
        assert (await client.call("say", {"text": "mine"})).expect(Said).text == "mine"
        await client.hub.emit(Said(text="2"), to=room("lobby"))
        assert isinstance(first := await client.receive(), EventEnvelope)
        assert first.payload == {"text": "1"}
        assert isinstance(second := await client.receive(), ProblemDetails)
        assert second.code == "invalid_websocket_message"
        assert (await client.expect(Said)).text == "2"


async def test_calls_at_the_same_time_each_get_their_own_end(registry: Registry) -> None:
    both = asyncio.Barrier(2)

    @registry.action("together", concurrency=2)
    async def together(payload: Said) -> AsyncIterator[Said]:
        yield Said(text=payload.text)
        await both.wait()
        yield Said(text=payload.text)

    async with connect(registry) as client:
        first, second = await asyncio.gather(
            client.call("together", {"text": "1"}), client.call("together", {"text": "2"})
        )
        assert [each.payload["text"] for each in first.events] == ["1", "1"]
        assert [each.payload["text"] for each in second.events] == ["2", "2"]


async def test_who_receives_during_a_call_gets_what_is_not_the_calls(registry: Registry) -> None:
    async with connect(registry, user_id=7) as client:
        receiving = asyncio.create_task(client.receive())
        closing = asyncio.create_task(client.closed())
        assert (await client.call("say", {"text": "mine"})).expect(Said).text == "mine"
        await client.hub.emit(Said(text="1"), to=user(7))
        assert isinstance(message := await receiving, EventEnvelope)
        assert message.payload == {"text": "1"}
        await client.hub.emit(Said(text="2"), to=user(7))
        await client.hub.disconnect(user(7), 4001, "gone")
        assert await closing == (4001, "gone")
        assert (await client.expect(Said)).text == "2"


async def test_who_waits_gets_what_is_there_however_many_others_wait(registry: Registry) -> None:
    async with connect(registry, user_id=7) as client:
        others = [asyncio.create_task(each) for each in (client.receive(), client.receive_raw(), client.closed())]
        await asyncio.sleep(0)
        calls = (client.call("say", {"text": str(number)}) for number in range(5))
        assert [reply.expect(Said).text for reply in await asyncio.gather(*calls)] == ["0", "1", "2", "3", "4"]
        await client.hub.emit(Said(text="1"), to=user(7))
        assert isinstance(message := await others[0], EventEnvelope)
        assert message.payload == {"text": "1"}
        for each in others[1:]:
            each.cancel()
        await client.hub.emit(Said(text="2"), to=user(7))
        assert (await client.expect(Said)).text == "2"


async def test_the_next_event_of_a_class_is_waited_for(registry: Registry) -> None:
    async with connect(registry, user_id=7) as client:
        emitting = asyncio.create_task(client.hub.emit(Left(user_id=1), to=user(7)))
        await client.hub.emit(Said(), to=user(7))
        assert (await client.expect(Left)).user_id == 1
        await emitting


async def test_an_event_that_does_not_come_fails_with_what_came(registry: Registry, impatient: None) -> None:
    async with connect(registry, user_id=7) as client:
        await client.hub.emit(Said(text="hi"), to=user(7))
        await client.send("fail")
        with pytest.raises(AssertionError, match=r"(?s)No event 'left' came, but:\n  event 'said' .*problem .*not_now"):
            await client.expect(Left)


async def test_what_never_comes_fails(registry: Registry, impatient: None) -> None:
    async with connect(registry, subprotocols=()) as client:
        with pytest.raises(AssertionError, match=r"Waited 0\.05 seconds for a message\."):
            await client.receive()
        with pytest.raises(AssertionError, match=r"Waited 0\.05 seconds for the end of 'say'\."):
            await client.call("say", {"text": "hi"})
        with pytest.raises(AssertionError, match="The server did not close the connection"):
            await client.closed()


async def test_a_call_on_a_connection_that_closes_fails(registry: Registry) -> None:
    async with connect(registry) as client:
        with pytest.raises(
            AssertionError, match=r"The connection was closed \(1000 Bye\.\) while waiting for the end of"
        ):
            await client.call("bye")
        assert await client.closed() == (1000, "Bye.")


async def test_an_event_that_does_not_come_because_the_connection_ends_says_so(registry: Registry) -> None:
    async with connect(registry, user_id=7) as client:
        await client.hub.disconnect(user(7), 4001, "gone")
        with pytest.raises(AssertionError, match=r"No event 'said' came, but: nothing\n.* closed \(4001 gone\)"):
            await client.expect(Said)


@pytest.mark.parametrize("event", [Renamed, Hidden, Strict])
async def test_an_event_that_cannot_be_read_back_is_shown_as_it_travels(
    registry: Registry, event: type[Renamed | Hidden | Strict]
) -> None:
    @registry.action("odd")
    async def odd() -> Event:
        return event(text="hi")

    async with connect(registry) as client:
        with captured(client.hub) as seen:
            reply = await client.call("odd")
        await client.send("odd")
        words = rf"(?s)cannot be read back as a {event.__name__}\. .*reply\.events\[0\]\.payload.*{{.*}}\n  \w+: \w+"
        for expect in (reply.expect, seen.expect):
            with pytest.raises(AssertionError, match=words):
                expect(event)
        with pytest.raises(AssertionError, match=words):
            await client.expect(event)


# Raw frames


@pytest.mark.parametrize("frame", ["hello", "[1]", "5", '{"event":"x"}', '{"a":1}', b"\xff"])
async def test_frames_that_are_no_messages_wait_to_be_asked_for(registry: Registry, frame: str | bytes) -> None:
    async with connect(registry, user_id=7) as client:
        assert await client.hub.send(client.connection_id, frame)
        assert (await client.call("say", {"text": "mine"})).expect(Said).text == "mine"
        assert await client.hub.send(client.connection_id, frame)
        await client.hub.emit(Said(text="1"), to=user(7))
        assert (await client.expect(Said)).text == "1"
        assert [await client.receive_raw(), await client.receive_raw()] == [frame, frame]


async def test_who_waits_for_a_message_is_told_of_frames_that_are_none(registry: Registry, impatient: None) -> None:
    async with connect(registry) as client:
        with pytest.raises(AssertionError, match=r"Waited 0\.05 seconds for a frame that is no message\.$"):
            await client.receive_raw()
        await client.hub.send(client.connection_id, "hello")
        with pytest.raises(AssertionError, match=r"for a message\. What came besides .* receive_raw\(\)"):
            await client.receive()


# Connecting


async def test_a_client_shows_its_connection(registry: Registry) -> None:
    async with connect(registry, connection_id="mine", rooms=["lobby"], state={"a": 1}) as client:
        assert client.connection_id == "mine"
        assert client.rooms == {"lobby"}
        assert client.state == {"a": 1}
        assert "mine" in client.hub.connections


async def test_the_handshake_can_be_told_in_full() -> None:
    seen: list[ConnectionInfo] = []

    def authenticate(info: ConnectionInfo) -> str | None:
        seen.append(info)
        return info.token

    async with connect(
        Registry(),
        user_id=NOT_GIVEN,
        token="secret",
        path="/chat",
        query="a=1",
        headers={"X-Y": "z"},
        subprotocols=["chat"],
        authenticate=authenticate,
    ) as client:
        [session] = client.hub.connections.values()
        assert session.user_id == "secret"
    [info] = seen
    assert (info.path, info.query, info.headers["x-y"], info.subprotocols) == ("/chat", "a=1", "z", ("chat",))
    assert (info.token, info.source) == ("secret", "bearer")


async def test_a_client_may_authenticate_later() -> None:
    hub_options: Any = {"authenticate": lambda info: info.token or AUTHENTICATE_LATER}
    async with connect(Registry(), user_id=NOT_GIVEN, **hub_options) as client:
        assert (await client.call("ws.authenticate", {"token": "ann"})).events[0].payload["user_id"] == "ann"


async def test_a_refused_connection_says_why() -> None:
    def authenticate(info: ConnectionInfo) -> None:
        raise Problem("Who are you?", status=401)

    with pytest.raises(Refused, match=r"Who are you\?") as caught:
        async with connect(Registry(), user_id=NOT_GIVEN, authenticate=authenticate):
            pytest.fail("it is refused")
    assert caught.value.problem.status == 401
    assert caught.value.close_code == CloseCode.UNAUTHORIZED


async def test_several_clients_share_a_hub(registry: Registry) -> None:
    async with (
        connect(registry, rooms=["lobby"]) as first,
        connect(first.hub, rooms=["lobby"]) as second,
    ):
        reply = await first.call("tell")
        assert reply.expect(Said).text == (await second.expect(Said)).text == "to the room"
        assert len(first.hub.connections) == 2
    assert first.hub.connections == {}


async def test_a_hub_that_exists_has_its_settings_already(registry: Registry) -> None:
    async with connect(registry) as first:
        with pytest.raises(TypeError, match="remove limits, require_ids"):
            async with connect(first.hub, require_ids=False, limits=Limits()):
                pytest.fail("it is refused")


async def test_without_a_target_it_is_the_default_registry() -> None:
    name = "of the default registry"

    @action(name)
    async def act() -> Said:
        return Said(text="default")

    async with connect() as client:
        assert client.hub.registry is default_registry
        assert (await client.call(name)).expect(Said).text == "default"
    del default_registry._actions[name]
    default_registry.version += 1


async def test_a_router_is_tested_alone() -> None:
    router = Router(prefix="chat.")

    @router.action("say")
    async def say() -> Said:
        return Said(text="alone")

    async with connect(router) as client:
        assert (await client.call("chat.say")).expect(Said).text == "alone"


async def test_the_end_of_a_connection_is_seen_on_the_server(registry: Registry) -> None:
    ends: list[tuple[int, str]] = []

    def on_disconnect(context: ActionContext, code: int, reason: str) -> None:
        ends.append((code, reason))

    async with connect(registry, on_disconnect=on_disconnect) as client:
        await client.disconnect(1001, "Tab closed.")
        assert ends == [(1001, "Tab closed.")]
    async with connect(registry, on_disconnect=on_disconnect):
        pass
    async with connect(registry, on_disconnect=on_disconnect) as client:
        await client.send("say", {"text": "never read"})
        await client.send("bye")
        assert await client.closed() == (1000, "Bye.")
        await until(lambda: len(ends) == 3)
        assert client.hub.connections == {}
    assert ends == [(1001, "Tab closed."), (1000, ""), (1000, "Bye.")]


async def test_a_client_takes_part_in_the_closing_handshake_of_a_drain(registry: Registry) -> None:
    async with connect(registry) as client:
        async with asyncio.timeout(2):
            await client.hub.drain()
        assert await client.closed() == (CloseCode.SERVICE_RESTART, "The server restarts.")


async def test_a_connection_is_begun_when_the_test_begins() -> None:
    async def on_connect(context: ActionContext) -> None:
        await asyncio.sleep(0)
        await context.join("lobby")

    async with connect(Registry(), on_connect=on_connect, backplane="memory://testing") as client:
        assert client.rooms == {"lobby"}
        assert await client.hub.emit(Said(), to=room("lobby")) == 1


# Captured


async def test_what_is_emitted_to_anybody_is_captured(registry: Registry) -> None:
    async with connect(registry) as client:
        with captured(client.hub) as seen:
            await client.hub.emit(Said(text="1"), to=[room("lobby"), user(7)])
            await asyncio.to_thread(client.hub.emit_sync, Said(text="2"), room("bar"))
            await client.call("tell")
            await client.hub.emit(Raw())
        await client.hub.emit(Said(text="after"), to=room("lobby"))
    assert [(each.event, each.recipient, each.recipient_id) for each in seen] == [
        ("said", "room", "lobby"),
        ("said", "user", "7"),
        ("said", "room", "bar"),
        ("said", "room", "lobby"),
        ("left", "websocket", client.connection_id),
        ("raw", "room", "lobby"),
    ]
    assert seen[0].msg_id == seen[1].msg_id
    assert seen[0].payload == {"text": "1"}
    assert seen.expect(Left) == Left(user_id=7)
    with pytest.raises(AssertionError, match="No event 'other' came"):
        seen.expect(type("Other", (Event,), {}, name="other", registry=Registry()))


async def test_capturing_ends_with_its_block_whatever_happens(registry: Registry) -> None:
    async with connect(registry) as client:
        with pytest.raises(ValueError, match="in the test"), captured(client.hub):
            raise ValueError("in the test")
        assert client.hub.fanout.observers == []


# The transport


async def test_a_transport_keeps_what_is_written_until_it_is_read() -> None:
    transport = MemoryTransport()
    assert transport.info == ConnectionInfo()
    await transport.send("1")
    await transport.send(b"2")
    assert await transport.next_frame() == "1"
    assert transport.frames() == [b"2"]
    assert transport.frames() == []
    await transport.send("3")
    await transport.close(1000, "Bye.")
    assert await transport.next_frame() == "3"
    assert await transport.next_frame() is None
    assert (transport.close_code, transport.close_reason) == (1000, "Bye.")


async def test_a_transport_that_is_not_read_makes_writers_wait() -> None:
    transport = MemoryTransport()
    transport.stop_reading()
    writing = asyncio.create_task(transport.send("1"))
    reading = asyncio.create_task(transport.next_frame())
    await asyncio.sleep(0)
    assert not writing.done()
    assert not reading.done()
    transport.resume_reading()
    assert await reading == "1"
    await writing


async def test_a_slow_client_is_cut_in_memory_as_on_a_socket(registry: Registry) -> None:
    async with connect(registry, user_id=7, limits=Limits(outbox_messages=1)) as client:
        assert isinstance(client, Client)
        client.transport.stop_reading()
        while await client.hub.emit(Said(), to=user(7)):
            pass
        assert (await client.closed())[0] == CloseCode.TRY_AGAIN_LATER
