"""What clients may subscribe to by themselves, on every host (protocol sections 6 and 7)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import Client


@pytest.fixture(scope="session")
def hooked_servers(start: Callable[..., Server]) -> Iterator[Callable[[Host], Server]]:
    with ExitStack() as running:
        yield cache(lambda host: running.enter_context(start(host, hook=True)))


@pytest.fixture
def hooked(host: Host, hooked_servers: Callable[[Host], Server]) -> Server:
    """A server that asks a hook for subscriptions, and lets clients subscribe with wildcards."""
    return hooked_servers(host)


async def subscribe(client: Client, topic: str) -> dict[str, Any]:
    answer = await client.ask("ws.subscribe", {"topic": topic})
    assert answer.get("event") == "ws.subscribed", answer
    payload: dict[str, Any] = answer["payload"]
    return payload


async def test_a_typed_topic_decides_who_hears_it_and_what_comes_first(server: Server) -> None:
    async with server.connect() as listener, server.connect() as other:
        req_id = await listener.send("ws.subscribe", {"topic": "discussion/3"})
        subscribed, welcome = await listener.receive(), await listener.receive()
        assert subscribed["event"] == "ws.subscribed"
        assert subscribed["payload"] == {"topic": "discussion/3", "recovered": False, "was_recovering": False}
        assert (welcome["event"], welcome["req_id"]) == ("told", req_id)
        assert welcome["payload"] == {"text": "welcome to 3"}
        assert (await other.ask("tell", {"topic": "discussion/3", "text": "hi"}))["payload"]["number"] == 1
        told = await listener.receive()
        assert (told["recipient"], told["recipient_id"]) == ("topic", "discussion/3")
        assert (told["payload"], told["seq"]) == ({"text": "hi"}, 3)
        assert "req_id" not in told
        assert (await listener.ask("ws.unsubscribe", {"topic": "discussion/3"}))["event"] == "ws.unsubscribed"
        assert (await other.ask("tell", {"topic": "discussion/3", "text": "hi"}))["payload"]["number"] == 0
        assert await listener.is_served()


@pytest.mark.parametrize(
    "topic", ["discussion/100", "discussion/x", "news", "room/lobby", "news/#", "user/1", "connection/1", "$SYS/x"]
)
async def test_without_a_hook_only_typed_topics_that_allow_it_are_open(server: Server, topic: str) -> None:
    async with server.connect("/ws/?user=int:1") as client:
        problem = await client.ask("ws.subscribe", {"topic": topic})
        assert (problem["code"], problem["status"]) == ("forbidden", 403)
        assert await client.is_served()


async def test_the_hook_decides_about_topics_rooms_and_filters(hooked: Server, name: str) -> None:
    async with hooked.connect() as listener, hooked.connect() as speaker:
        await subscribe(listener, f"{name}/+/score")
        await subscribe(listener, f"{name}/#")
        await subscribe(listener, f"room/{name}")
        for topic in (f"{name}/football/score", name, f"{name}/a/b/c"):
            assert (await speaker.ask("tell", {"topic": topic, "text": topic}))["payload"]["number"] == 1
            told = await listener.receive()
            assert (told["recipient_id"], told["payload"]) == (topic, {"text": topic})
        assert (await speaker.ask("tell", {"topic": f"{name}x", "text": ""}))["payload"]["number"] == 0
        assert hooked.get(f"/say/{name}") == 1
        assert (await listener.receive())["event"] == "chat.entered"
        # The one that is left still matches; and the room was another subscription.
        await listener.ask("ws.unsubscribe", {"topic": f"{name}/#"})
        assert (await speaker.ask("tell", {"topic": name, "text": ""}))["payload"]["number"] == 0
        assert (await speaker.ask("tell", {"topic": f"{name}/a/score", "text": ""}))["payload"]["number"] == 1


@pytest.mark.parametrize(
    "topic", ["secret/+", "room/cellar", "user/1", "user/#", "connection/+", "everyone/*", "$SYS/#", "+/+/+/+"]
)
async def test_what_the_hook_forbids_or_is_never_asked_about(hooked: Server, topic: str) -> None:
    async with hooked.connect("/ws/?user=int:1") as client:
        assert (await client.ask("ws.subscribe", {"topic": topic}))["code"] == "forbidden"


@pytest.mark.parametrize("topic", ["", "a/#/b", "a#", "x" * 256, "/".join("x" * 17), "a\u0000"])
async def test_what_is_no_topic_is_explained(hooked: Server, topic: str) -> None:
    async with hooked.connect() as client:
        problem = await client.ask("ws.subscribe", {"topic": topic})
        assert problem["status"] in {400, 422}
        assert problem["code"] != "internal_error"
        assert await client.is_served()


async def test_a_wildcard_that_takes_in_typed_topics_is_refused(hooked: Server) -> None:
    async with hooked.connect() as listener:
        for each in ("#", "discussion/+", "+/+"):
            assert (await listener.ask("ws.subscribe", {"topic": each}))["code"] == "forbidden"


async def test_a_wildcard_reaches_no_reserved_level(hooked: Server, name: str) -> None:
    async with hooked.connect("/ws/?user=int:987") as listener, hooked.connect() as speaker:
        await subscribe(listener, "+")
        await speaker.send("chat.whisper", {"to": "986", "text": "psst"})
        assert await speaker.is_served()
        assert hooked.get(f"/say/{name}") == 0
        assert (await speaker.ask("tell", {"topic": name, "text": "all"}))["payload"]["number"] == 1
        assert (await listener.receive())["payload"] == {"text": "all"}


async def test_a_client_that_leaves_takes_its_subscriptions_along(hooked: Server, name: str) -> None:
    async with hooked.connect() as speaker:
        async with hooked.connect() as listener:
            await subscribe(listener, f"{name}/+")
            await subscribe(listener, name)
            assert (await speaker.ask("tell", {"topic": name, "text": ""}))["payload"]["number"] == 1
            await listener.receive()
            connection_id = await listener.connection_id()
            await speaker.watch()
        await speaker.noted("gone", connection_id)
        assert (await speaker.ask("tell", {"topic": name, "text": ""}))["payload"]["number"] == 0
