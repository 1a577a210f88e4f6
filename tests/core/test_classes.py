from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from wsproto_core import (
    Action,
    ActionContext,
    ActionEnvelope,
    Audience,
    ConfigurationError,
    DuplicateNameError,
    Event,
    HandlerSignatureError,
    Recipient,
    Registry,
    ReservedNameError,
    default_registry,
)
from wsproto_core.testing import connect


class Say(BaseModel):
    text: str


class Said(Event, register=False):
    event_name = "said"
    text: str


async def said(registry: Registry, action: str) -> list[str]:
    """Call an action with the text "hi" and return what it says."""
    async with connect(registry) as client:
        reply = await client.call(action, {"text": "hi"})
        assert reply.problem is None
        return [event.payload["text"] for event in reply.events]


async def test_an_action_in_class_style_answers_a_message(registry: Registry) -> None:
    class Echo(Action, name="echo", registry=registry):
        """Say it again.

        Word for word.
        """

        async def execute(self, message: ActionEnvelope, context: ActionContext) -> AsyncIterator[Said]:
            yield Said(text=message.payload["text"])
            yield Said(text=context.path)

    spec = registry.actions["echo"]
    assert (spec.summary, spec.description, spec.replies) == ("Say it again.", "Word for word.", (Said,))
    assert await said(registry, "echo") == ["hi", "/ws/"]


async def test_execute_may_have_any_form_and_any_parameters(registry: Registry) -> None:
    class Local(Say):
        pass

    class Returning(Action, registry=registry):
        async def execute(self, payload: Local) -> Said:
            return Said(text=f"{payload.text} from a coroutine")

    class Plain(Action, registry=registry, blocking=False):
        def execute(self, payload: Say, *, context: ActionContext) -> Iterable[Said]:
            return [Said(text=f"{payload.text} from a function")]

    class Generating(Action, registry=registry):
        def execute(self) -> Iterator[Said]:
            yield Said(text="hi from a generator")

    class Static(Action, registry=registry):
        @staticmethod
        async def execute(payload: Say) -> Said:
            return Said(text=f"{payload.text} from a static method")

    class Classy(Action, registry=registry):
        @classmethod
        async def execute(cls, payload: Say) -> Said:
            return Said(text=f"{payload.text} from {cls.__name__}")

    assert [(await said(registry, name))[0] for name in registry.actions] == [
        "hi from a coroutine",
        "hi from a function",
        "hi from a generator",
        "hi from a static method",
        "hi from Classy",
    ]


async def test_each_message_has_an_instance_of_its_own(registry: Registry) -> None:
    class Counting(Action, name="count", registry=registry):
        def __init__(self) -> None:
            self.count = 0

        async def execute(self) -> Said:
            self.count += 1
            return Said(text=str(self.count))

    assert await said(registry, "count") == await said(registry, "count") == ["1"]


def test_names_options_and_base_classes_are_those_of_the_class(registry: Registry) -> None:
    class Base(Action, register=False):
        async def execute(self) -> None: ...

    class OtherBase(Base):
        __register__ = False

    class Named(OtherBase, name="named", registry=registry, timeout=5, requires=["write"], tags=["t"]):
        pass

    class Plugged(Base, registry=registry):
        __plugin_name__ = "plugged"

    class Unnamed(Plugged, registry=registry):
        pass

    assert list(registry.actions) == ["named", "plugged", "Unnamed"]
    spec = registry.actions["named"]
    assert (spec.timeout, spec.requires, spec.tags) == (5, ("write",), ("t",))
    assert registry.actions["Unnamed"].timeout is None


def test_a_class_registers_in_the_default_registry_unless_told_otherwise() -> None:
    class DefaultedAction(Action, name="test_classes.defaulted"):
        async def execute(self) -> None: ...

    class DefaultedRecipient(Recipient, name="test_classes.defaulted"):
        def resolve(self, recipient_id: str) -> list[str]:
            return [recipient_id]

    assert "test_classes.defaulted" in default_registry.actions
    assert "test_classes.defaulted" in default_registry.recipients


def does_it(self) -> list[str]: ...
def wants_a_room(self, room: str) -> None: ...


@pytest.mark.parametrize("base", [Action, Recipient])
def test_a_name_taken_twice_is_refused_unless_it_is_replaced(registry: Registry, base: type) -> None:
    members = {"execute": does_it, "resolve": does_it}
    type("One", (base,), members, name="it", registry=registry)
    with pytest.raises(DuplicateNameError, match="'it'"):
        type("Two", (base,), members, name="it", registry=registry)
    type("Three", (base,), {**members, "__doc__": "The third."}, name="it", registry=registry, replace=True)
    assert [spec.summary for spec in registry.actions.values()] + list(registry.recipients) in (["The third."], ["it"])


@pytest.mark.parametrize(
    ("base", "members", "options", "error", "message"),
    [
        (Action, {}, {}, HandlerSignatureError, r"It has no execute\(\); register=False keeps a base class out"),
        (Action, {"execute": wants_a_room}, {}, HandlerSignatureError, "nothing fills the parameter 'room'"),
        (Action, {"execute": does_it}, {"name": "ws.mine"}, ReservedNameError, "'ws.mine'"),
        (Action, {"execute": does_it}, {"timeout": -1}, ConfigurationError, "timeout"),
        (Action, {"execute": does_it}, {"registry": {}}, ConfigurationError, "must be a Registry"),
        (Recipient, {}, {}, HandlerSignatureError, r"It has no resolve\(\); register=False keeps a base class out"),
        (Recipient, {"resolve": does_it}, {"name": "room"}, ReservedNameError, "built in"),
        (Recipient, {"resolve": does_it}, {"registry": {}}, ConfigurationError, "must be a Registry"),
    ],
    ids=range(8),
)
def test_a_class_that_cannot_be_registered_is_refused(
    registry: Registry,
    base: type,
    members: dict[str, Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        type("It", (base,), members, **{"registry": registry, **options})
    assert not registry.actions
    assert not registry.recipients


async def test_recipients_in_class_style_are_asked_sync_and_async(registry: Registry) -> None:
    class Session(Recipient, name="session", registry=registry):
        def resolve(self, recipient_id: str) -> list[str]:
            return [f"c{recipient_id}"]

    class Later(Recipient, name="later", registry=registry):
        async def resolve(self, recipient_id: str) -> Iterable[str]:
            return {f"c{recipient_id}"}

    class Base(Recipient, register=False):
        pass

    class OtherBase(Recipient):
        __register__ = False

    assert list(registry.recipients) == ["session", "later"]
    async with connect(registry, connection_id="c17") as client:
        for kind in ("session", "later"):
            assert await client.hub.emit(Said(text=kind), to=Audience(kind, "17")) == 1
            assert (await client.expect(Said)).text == kind
