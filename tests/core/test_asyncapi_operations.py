from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, Field

from tests.core.contracts import made, message, operation, replies
from wsproto_core import ActionContext, Event, Limits, Problem, Registry, Tickets, Topic
from wsproto_core.settings import AuthorizeSubscribe


class Say(BaseModel):
    text: str = Field(examples=["hi"])


async def _nothing() -> None: ...


def test_an_action_is_an_operation_with_a_reply(registry: Registry) -> None:
    class Said(Event, name="chat.said", registry=registry):
        """Something was said.

        To everybody.
        """

        text: str

    @registry.action("chat.say", tags=["chat"], deprecated=True, requires=["chat"])
    async def say(payload: Say) -> Said:
        """Say something.

        And more about it.
        """
        return Said(text=payload.text)

    document = made(registry, authenticate=lambda _: 1)
    said = operation(document, "chat.say")
    assert said["action"] == "receive"
    assert said["channel"] == {"$ref": "#/channels/ws"}
    assert said["messages"] == [{"$ref": "#/channels/ws/messages/action.chat.say"}]
    assert (said["summary"], said["description"]) == ("Say something.", "And more about it.")
    assert said["tags"] == document["info"]["tags"] == [{"name": "chat"}]
    assert said["x-deprecated"]
    assert said["x-wsproto-requires"] == ["chat"]
    assert said["x-wsproto-action"] == "chat.say"
    assert {"$ref": "#/components/securitySchemes/bearer"} in said["security"]
    assert replies(document, "chat.say")[:2] == ["event.chat.said", "event.ws.complete"]
    assert {"problem.invalid_payload", "problem.forbidden", "problem.action_timeout"} <= {
        *replies(document, "chat.say")
    }
    event = message(document, "event.chat.said")
    assert (event["summary"], event["description"]) == ("Something was said.", "To everybody.")
    assert document["operations"]["event.chat.said"]["action"] == "send"


def test_what_an_action_may_end_with_depends_on_it(registry: Registry) -> None:
    registry.add_action("open", _nothing, timeout=float("inf"), requires=lambda _: True)
    registry.add_action("other", _nothing)
    document = made(registry, limits=Limits(rate=5, action_timeout=None))
    assert "problem.action_timeout" not in replies(document, "open")
    assert "problem.action_timeout" not in replies(document, "other")
    assert "problem.rate_limited" in replies(document, "open")
    assert "problem.forbidden" in replies(document, "open")
    assert "problem.forbidden" not in replies(document, "other")
    assert "x-wsproto-requires" not in operation(document, "open")
    assert "problem.unauthenticated" not in replies(made(registry), "other")


def test_an_action_that_says_event_may_answer_with_any(registry: Registry) -> None:
    class Said(Event, name="said", registry=registry):
        pass

    @registry.action("say")
    async def say() -> AsyncIterator[Event]:
        yield Said()

    assert replies(made(registry), "say")[:2] == ["event.said", "event.ws.complete"]


def test_an_actions_own_problems_are_among_its_replies(registry: Registry) -> None:
    @registry.action("join")
    async def join() -> None:
        raise Problem(status=409, code="room_full")

    @registry.action("leave")
    async def leave() -> None: ...

    document = made(registry)
    assert "problem.room_full" in replies(document, "join")
    assert "problem.room_full" not in replies(document, "leave")
    assert message(document, "problem.room_full")["payload"]["properties"]["title"]["examples"] == ["Conflict"]


def builtins(document: dict[str, Any]) -> set[str]:
    operations = document["operations"].values()
    return {
        each["x-wsproto-action"] for each in operations if "x-wsproto-action" in each and "x-wsproto-builtin" in each
    }


def test_built_in_actions_are_there_where_they_can_be_used(registry: Registry) -> None:
    always = {"health", "ws.cancel"}
    subscribing = {"ws.subscribe", "ws.unsubscribe"}
    allow: AuthorizeSubscribe = lambda context, audience: True  # noqa: E731 - it has no name to tell
    assert builtins(made(registry)) == always
    assert builtins(made(registry, tickets=Tickets())) == always
    assert builtins(made(registry, authenticate=lambda _: 1)) == always | {"ws.authenticate"}
    assert builtins(made(registry, authorize_subscribe=allow)) == always | subscribing

    class Mine(Topic, pattern="mine/{pk}", registry=registry):
        pk: int

    assert builtins(made(registry)) == always

    class Open(Topic, pattern="open/{pk}", registry=registry):
        pk: int

        def authorize(self, context: ActionContext) -> bool:
            return True

    assert builtins(made(registry)) == always | subscribing


def test_a_health_of_ones_own_is_ones_own(registry: Registry) -> None:
    registry.add_action("health", _nothing)
    assert builtins(made(registry)) == {"ws.cancel"}
