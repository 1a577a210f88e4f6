from collections.abc import AsyncIterator
from typing import Literal

from pydantic import Field

from tests.core.contracts import made
from wsproto_core import ActionContext, Event, Registry, Settings, Topic
from wsproto_core.asyncapi import Socket, build_document


def test_each_socket_is_a_channel(registry: Registry) -> None:
    sockets = [
        Socket(address="/ws/{room}/", title="room", description="A room."),
        Socket(address="/two", query={"user": {"type": "string"}}, required=frozenset({"user"})),
        Socket(address="/two", foreign=True),
        Socket(address="/"),
    ]
    document = made(registry, *sockets, authenticate=lambda _: 1, query_token="key")
    channels = document["channels"]
    assert list(channels) == ["ws.room", "two", "two-2", "socket"]
    assert [each["x-wsproto-kind"] for each in channels.values()] == ["socket", "socket", "foreign", "socket"]
    assert channels["ws.room"]["parameters"] == {"room": {"description": "A part of the path."}}
    assert channels["ws.room"]["description"] == "A room."
    binding = channels["two"]["bindings"]["ws"]
    assert binding["query"]["required"] == ["user"]
    assert set(binding["query"]["properties"]) == {"user", "key"}
    assert set(binding["headers"]["properties"]) == {"Authorization", "Sec-WebSocket-Protocol"}
    assert binding["bindingVersion"] == "0.1.0"
    assert "messages" not in channels["two-2"]
    assert {"action.health", "two.action.health", "socket.action.health"} <= set(document["operations"])


def test_an_address_that_is_not_known_is_null(registry: Registry) -> None:
    [channel] = build_document(Settings(registry=registry))["channels"].values()
    assert channel["address"] is None
    assert channel["title"] == "The socket"


def test_addresses_are_as_they_are_reached_from_outside(registry: Registry) -> None:
    inside, outside = made(registry), made(registry, root_path="/api/")
    assert outside["channels"]["ws"]["address"] == "/api/ws/"
    assert list(inside["operations"]) == list(outside["operations"])
    told = made(registry, root_path="/api", servers=["wss://example.com/api"])
    assert told["channels"]["ws"]["address"] == "/ws/"


def test_a_typed_topic_is_a_channel(registry: Registry) -> None:
    class First(Event, name="first", registry=registry):
        pass

    class Discussion(Topic, pattern="discussion/{pk}/{kind}", registry=registry):
        """What is said."""

        pk: int = Field(description="Which one.", examples=[3])
        kind: Literal["live", "archive"]

        def authorize(self, context: ActionContext) -> bool:
            return True

        async def on_subscribe(self, context: ActionContext) -> AsyncIterator[First]:
            yield First()

    class News(Topic, pattern="news", registry=registry):
        def on_subscribe(self, context: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821 - as it may be
            return None

    document = made(registry)
    channel = document["channels"]["topic.discussion.pk.kind"]
    assert (channel["address"], channel["title"]) == ("discussion/{pk}/{kind}", "Discussion")
    assert channel["description"] == "What is said."
    assert channel["parameters"] == {
        "pk": {"description": "Which one.", "examples": ["3"]},
        "kind": {"enum": ["live", "archive"]},
    }
    assert channel["x-wsproto-kind"] == "topic"
    assert channel["x-wsproto-subscribe"]
    assert list(channel["messages"]) == ["event.first"]
    assert document["operations"]["topic.discussion.pk.kind"]["action"] == "send"
    news = document["channels"]["topic.news"]
    assert news == {"address": "news", "title": "News", "x-wsproto-kind": "topic", "x-wsproto-subscribe": False}
