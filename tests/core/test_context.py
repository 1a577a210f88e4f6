"""What a handler sees of its connection and its request, and what it can do about them."""

import asyncio
from typing import Any

import pytest

from tests.core.peer import V1, Peer, hub_of, peer
from wsproto_core import (
    ActionContext,
    CloseCode,
    Event,
    EventEnvelope,
    Identity,
    InvalidTopicError,
    Problem,
    Registry,
    connection,
    room,
    topic,
    user,
)

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""


class Raw:
    async def emit(self) -> EventEnvelope:
        return EventEnvelope(event="raw", recipient="room", recipient_id="lobby")


def context_of(client: Peer) -> ActionContext[Any]:
    """Return a context outside of any request, as ``on_connect`` gets one."""
    return ActionContext(client.session)


async def test_it_shows_the_connection() -> None:
    identity = Identity("ann", scopes=frozenset({"read"}))
    hub = hub_of()
    async with peer(hub, path="/chat", user_id=identity, state={"a": 1}, rooms=["lobby"]) as client:
        await client.settled()
        context = context_of(client)
        assert context.connection_id == context.websocket_id == client.id
        assert context.user_id == "ann"
        assert context.scopes == {"read"}
        assert context.path == "/chat"
        assert context.info is client.session.info
        assert context.headers is client.session.info.headers
        assert context.hub is hub
        assert context.rooms == {"lobby"}
        assert context.state == {"a": 1}
        context.state["b"] = 2
        assert context_of(client).state == {"a": 1, "b": 2}
        assert repr(context) == f"<ActionContext connection={client.id} user='ann'>"
        assert (context.req_id, context.msg_id) == (None, None)


async def test_it_shows_the_request() -> None:
    registry = Registry()
    seen: list[Any] = []

    @registry.action("act")
    async def act(context: ActionContext) -> None:
        seen.extend([context.req_id, context.msg_id])

    msg_id = "0B6A3D1E-0000-4000-8000-00000000000A"
    async with peer(hub_of(registry), V1) as client:
        await client.raw(f'{{"msg_id": "{msg_id}", "req_id": "{msg_id}", "action": "act"}}')
        await client.end_of(msg_id.lower())
    assert seen == [msg_id.lower()] * 2


async def test_an_event_without_audience_goes_to_the_connection_itself() -> None:
    async with peer(hub_of()) as client, peer(client.hub) as other:
        context = context_of(client)
        assert await context.emit(Said(text="to me")) == 1
        message = await client.read()
        assert (message["recipient"], message["recipient_id"]) == ("websocket", client.id)
        assert "req_id" not in message
        assert await context.emit(Said(), to=connection(other.id)) == 1
        assert await context.emit(Said().to(connection(other.id))) == 1
        assert [(await other.read())["seq"] for _ in range(2)] == [1, 2]
        assert await context.emit(Raw()) == 0
        assert client.unread() == []


async def test_an_event_in_answer_to_a_request_carries_its_req_id() -> None:
    registry = Registry()

    @registry.action("act")
    async def act(context: ActionContext) -> None:
        await context.emit(Said())
        await context.emit(Said(), to=[room("nobody"), user("ann")])

    async with peer(hub_of(registry), user_id="ann") as client:
        req_id = await client.send("act")
        assert [(await client.read())["req_id"] for _ in range(2)] == [req_id, req_id]


async def test_it_joins_and_leaves_rooms_and_topics() -> None:
    hub = hub_of()
    async with peer(hub) as client:
        context = context_of(client)
        await context.join("lobby", room(42), topic("a/b"))
        assert context.rooms == {"lobby", "42"}
        assert await hub.emit(Said(), to=topic("a/b")) == 1
        await context.leave("lobby", "never joined", topic("a/b"))
        assert context.rooms == {"42"}
        assert await hub.emit(Said(), to=topic("a/b")) == 0
        await context.subscribe("a/b", topic("c"))
        assert await hub.emit(Said(), to=[topic("a/b")]) == await hub.emit(Said(), to=[topic("c")]) == 1
        await context.unsubscribe("a/b", topic("c"), topic("never subscribed"))
        assert await hub.emit(Said(), to=[topic("a/b"), topic("c")]) == 0


@pytest.mark.parametrize("audience", [user(1), connection("x")])
async def test_only_rooms_and_topics_can_be_joined(audience: Any) -> None:
    async with peer(hub_of()) as client:
        with pytest.raises(TypeError, match="A connection joins"):
            await context_of(client).join(audience)
        with pytest.raises(TypeError, match="A connection joins"):
            await context_of(client).leave(audience)


async def test_names_that_are_none_are_refused() -> None:
    async with peer(hub_of()) as client:
        with pytest.raises(InvalidTopicError):
            await context_of(client).join("")
        with pytest.raises(InvalidTopicError):
            await context_of(client).subscribe("user/1")


async def test_joining_is_authorised() -> None:
    def authorize(context: ActionContext, audience: Any) -> bool:
        return audience == room("open")

    async with peer(hub_of(authorize_subscribe=authorize)) as client:
        context = context_of(client)
        await context.join("open")
        with pytest.raises(Problem) as caught:
            await context.join("closed")
        assert (caught.value.code, caught.value.status) == ("forbidden", 403)
        with pytest.raises(Problem):
            await context.subscribe("open")
        assert context.rooms == {"open"}


async def test_it_closes_the_connection() -> None:
    async with peer(hub_of()) as client:
        await context_of(client).close(CloseCode.FORBIDDEN, "Not here.")
        assert await client.cut() == (3003, "Not here.")
    async with peer(hub_of()) as client:
        await context_of(client).close()
        assert await client.cut() == (1000, "")
    async with peer(hub_of()) as client:
        with pytest.raises(ValueError, match="1006 cannot be sent"):
            await context_of(client).close(1006)


async def test_in_a_thread_everything_has_happened_when_it_returns() -> None:
    async with peer(hub_of()) as client:
        context = context_of(client)

        def work() -> list[Any]:
            context.join("lobby")
            joined = context.rooms
            context.subscribe("news")
            context.emit(Said(text="from a thread"))
            context.leave("lobby")
            context.unsubscribe("news")
            left = context.rooms
            context.close(1000, "Bye.")
            return [joined, left]

        assert await asyncio.to_thread(work) == [{"lobby"}, set()]
        assert (await client.read())["payload"] == {"text": "from a thread"}
        assert await client.cut() == (1000, "Bye.")
