from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, Field

from tests.core.contracts import made, message, replies
from wsproto_core import Event, ProblemType, Registry

T = TypeVar("T")


class Say(BaseModel):
    text: str = Field(examples=["hi"])


async def _nothing() -> None: ...


def test_the_payload_of_a_message_is_the_whole_envelope(registry: Registry) -> None:
    @registry.action("chat.say")
    async def say(payload: Say) -> None: ...

    envelope = message(made(registry), "action.chat.say")
    assert envelope["payload"]["required"] == ["msg_id", "req_id", "action", "payload"]
    assert envelope["payload"]["properties"]["payload"] == {"$ref": "#/components/schemas/Say"}
    assert envelope["examples"][0]["payload"]["payload"] == {"text": "hi"}
    assert envelope["correlationId"]["location"] == "$message.payload#/req_id"
    lenient = message(made(registry, require_ids=False), "action.chat.say")
    assert lenient["payload"]["required"] == ["action", "payload"]


def test_examples_that_are_given_are_shown(registry: Registry) -> None:
    registry.add_action("list", _takes_say, examples=[{"text": "a"}, Say(text="b"), {"text": float("inf")}])
    registry.add_action(
        "named", _takes_say, examples={"short": {"value": {"text": "c"}, "summary": "C."}, "plain": {"text": "d"}}
    )
    document = made(registry)
    listed = message(document, "action.list")["examples"]
    assert [each["payload"]["payload"] for each in listed] == [{"text": "a"}, {"text": "b"}]
    short, plain = message(document, "action.named")["examples"]
    assert (short["name"], short["summary"], short["payload"]["payload"]) == ("short", "C.", {"text": "c"})
    assert (plain["name"], plain["payload"]["payload"]) == ("plain", {"text": "d"})


async def _takes_say(payload: Say) -> None: ...


def test_an_action_that_takes_nothing_has_an_example_all_the_same(registry: Registry) -> None:
    registry.add_action("nothing", _nothing)
    envelope = message(made(registry), "action.nothing")
    assert envelope["payload"]["required"] == ["msg_id", "req_id", "action"]
    assert envelope["examples"][0]["payload"]["action"] == "nothing"


def test_a_payload_that_may_be_anything_has_to_be_there_all_the_same(registry: Registry) -> None:
    @registry.action("any")
    async def act(payload: Any) -> None: ...

    assert message(made(registry), "action.any")["payload"]["required"][-1] == "payload"


def test_a_default_that_its_own_type_refuses_is_not_in_the_example(registry: Registry) -> None:
    class Note(BaseModel):
        text: str
        note: str = None  # type: ignore[assignment]

    @registry.action("note")
    async def take(payload: Note) -> None: ...

    assert message(made(registry), "action.note")["examples"][0]["payload"]["payload"] == {"text": "text"}


def test_what_no_schema_can_be_made_of_does_not_cost_the_document(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    class Unfinished(BaseModel):
        later: "NobodyDefinesThis"  # type: ignore[name-defined]  # noqa: F821

    class Failing(Event, name="failing", registry=registry):
        @classmethod
        def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
            raise RuntimeError("No schema today.\nNor tomorrow.")

    @registry.action("unfinished")
    async def take(payload: Unfinished) -> None: ...

    @registry.action("say")
    async def say(payload: Say) -> None: ...

    document = made(registry)
    envelope = message(document, "action.unfinished")
    assert envelope["payload"]["properties"]["payload"] == {}
    assert envelope["payload"]["required"][-1] == "payload"
    assert message(document, "event.failing")["payload"]["properties"]["payload"] == {}
    assert message(document, "action.say")["payload"]["properties"]["payload"] == {"$ref": "#/components/schemas/Say"}
    unfinished, failing = caplog.messages
    assert "what the action 'unfinished' takes" in unfinished
    assert failing.endswith(
        "what the event 'failing' says: pydantic makes no schema of it. RuntimeError: No schema today."
    )


def test_where_no_value_can_be_made_there_is_no_example(registry: Registry) -> None:
    class Odd(BaseModel):
        code: str = Field(pattern="^x+$")

    @registry.action("odd")
    async def odd(payload: Odd) -> None: ...

    assert "examples" not in message(made(registry), "action.odd")


def test_problems_of_one_code_are_told_apart(registry: Registry) -> None:
    registry.add_problem(ProblemType("gone", 404, "gone", "Gone"))
    registry.add_problem(ProblemType("gone", 410, "gone", "Gone", description="For ever."))
    document = made(registry)
    assert message(document, "problem.gone.404.gone")["x-wsproto-status"] == 404
    assert message(document, "problem.gone.410.gone")["description"] == "For ever."


@pytest.mark.parametrize("given", ["text", b"bytes", 5, Say(text="a")])
def test_examples_that_are_none_are_refused(registry: Registry, given: Any) -> None:
    from wsproto_core import ConfigurationError

    with pytest.raises(ConfigurationError, match="examples"):
        registry.add_action("odd", _takes_say, examples=given)


class Box(Event, Generic[T], register=False):
    event_name = "box"
    content: T


def test_an_event_of_several_forms_is_any_of_them(registry: Registry) -> None:
    @registry.action("pack")
    async def pack() -> AsyncIterator[Box[int] | Box[str]]:
        yield Box[int](content=1)

    document = made(registry)
    payload = message(document, "event.box")["payload"]["properties"]["payload"]
    assert payload == {"anyOf": [{"$ref": "#/components/schemas/Box_int_"}, {"$ref": "#/components/schemas/Box_str_"}]}
    assert replies(document, "pack")[:2] == ["event.box", "event.ws.complete"]
