import functools
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from wsproto_core import (
    ActionContext,
    ConfigurationError,
    Event,
    HandlerSignatureError,
    Hub,
    RegistrationError,
    ReservedNameError,
)
from wsproto_core.specs import action_spec, check_name, check_prefix, check_tags, event_handler_spec, name_of_class


class Say(BaseModel):
    text: str


class Said(Event, register=False):
    event_name = "said"


class Left(Event, register=False):
    event_name = "left"


async def say(payload: Say) -> Said:
    """Say something.

    To everybody
    in the room.
    """
    return Said()


def undocumented() -> None: ...


def test_an_action_is_described_by_its_handler() -> None:
    spec = action_spec("chat.say", say)
    assert (spec.name, spec.function, spec.payload_type, spec.replies) == ("chat.say", say, Say, (Said,))
    assert (spec.summary, spec.description) == ("Say something.", "To everybody\nin the room.")
    assert (spec.tags, spec.deprecated, spec.timeout, spec.concurrency) == ((), False, None, 1)
    assert (spec.requires, spec.blocking, spec.middlewares) == (None, True, ())


def test_an_action_is_described_by_its_options() -> None:
    spec = action_spec(
        "chat.say",
        say,
        reply=Left,
        summary="Speak.",
        description="Aloud.",
        tags=["b", "a", "b"],
        timeout=5,
        concurrency=3,
        requires=["write"],
        blocking=False,
        deprecated=True,
    )
    assert (spec.replies, spec.summary, spec.description, spec.tags) == ((Left,), "Speak.", "Aloud.", ("b", "a"))
    assert (spec.timeout, spec.concurrency, spec.requires) == (5.0, 3, ("write",))
    assert (spec.blocking, spec.deprecated) == (False, True)


@pytest.mark.parametrize(
    ("documented", "summary", "description"),
    [
        (undocumented, None, None),
        (functools.partial(functools.partial(say)), "Say something.", "To everybody\nin the room."),
        (functools.partial(undocumented), None, None),
        (Say, None, None),
        (type("Blank", (), {"__doc__": "   "}), None, None),
        (type("Line", (), {"__doc__": "One line.   \n  "}), "One line.", None),
    ],
    ids=["none", "partial", "partial of none", "inherited", "blank", "line"],
)
def test_the_first_line_of_the_docstring_is_the_summary(
    documented: object, summary: str | None, description: str | None
) -> None:
    spec = action_spec("x", undocumented, documented=documented)
    assert (spec.summary, spec.description) == (summary, description)


def test_another_function_may_be_called_in_its_place() -> None:
    class Given:
        payload = Say(text="hi")

    spec = action_spec("x", say, call=lambda payload: payload.text)
    assert spec.run(Given()) == "hi"


@pytest.mark.parametrize(
    "reply", [Said | Left, [Said, Left], (Said, Left), list[Said | Left], [Said, Left | Said]], ids=str
)
def test_replies_may_be_named_in_any_way(reply: Any) -> None:
    assert set(action_spec("x", say, reply=reply).replies) == {Said, Left}


@pytest.mark.parametrize(("timeout", "seconds"), [(None, None), (1, 1.0), (0.5, 0.5), (math.inf, math.inf)])
def test_a_timeout_is_a_number_of_seconds(timeout: float | None, seconds: float | None) -> None:
    assert action_spec("x", say, timeout=timeout).timeout == seconds


@pytest.mark.parametrize("requires", [["read", "write"], ("read", "write"), {"read": 1, "write": 2}], ids=str)
def test_scopes_are_kept_as_a_tuple(requires: Any) -> None:
    assert action_spec("x", say, requires=requires).requires == ("read", "write")


def test_a_function_may_decide_who_may() -> None:
    def is_ada(context: ActionContext) -> bool:
        return context.user_id == "ada"

    assert action_spec("x", say, requires=is_ada).requires is is_ada


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": 0}, ConfigurationError, "timeout is a number of seconds above 0"),
        ({"timeout": -1}, ConfigurationError, "timeout"),
        ({"timeout": math.nan}, ConfigurationError, "timeout"),
        ({"timeout": True}, ConfigurationError, "timeout"),
        ({"timeout": "5"}, ConfigurationError, "timeout"),
        ({"concurrency": 0}, ConfigurationError, "concurrency is a whole number from 1, not 0"),
        ({"concurrency": 1.5}, ConfigurationError, "not 1.5"),
        ({"concurrency": True}, ConfigurationError, "not True"),
        ({"requires": "write"}, ConfigurationError, r"requires takes a list of scopes: requires=\['write'\]"),
        ({"requires": [""]}, ConfigurationError, "a function or a list of scope names"),
        ({"requires": [5]}, ConfigurationError, "a function or a list of scope names"),
        ({"requires": []}, ConfigurationError, "a function or a list of scope names"),
        ({"requires": True}, ConfigurationError, "a function or a list of scope names"),
        ({"tags": "chat"}, ConfigurationError, r"tags takes a list of strings, not one string: \['chat'\]"),
        ({"reply": int}, RegistrationError, "reply takes an Event class or several, not <class 'int'>"),
        ({"reply": [int]}, RegistrationError, "reply takes an Event class or several"),
        ({"reply": []}, RegistrationError, "reply takes an Event class or several"),
        (
            {"time_out": 5, "reply": Said, "bloking": True},
            RegistrationError,
            "there is no option 'bloking', 'time_out'",
        ),
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        action_spec("x", say, **options)


async def yields() -> AsyncIterator[Said]:
    yield Said()


def yields_too() -> Iterator[Said]:
    yield Said()


@pytest.mark.parametrize(
    ("handler", "options", "plain"),
    [
        (say, {}, True),
        (say, {"requires": ["write"]}, False),
        (undocumented, {}, False),
        (yields, {}, False),
    ],
    ids=["async function", "requires", "function", "generator"],
)
def test_an_async_function_for_which_nothing_else_is_done_is_plain(
    handler: Callable[..., Any], options: Any, plain: bool
) -> None:
    assert action_spec("x", handler, **options).plain is plain


def test_an_event_handler_is_described_by_its_function() -> None:
    def alert(payload: Say, hub: Hub) -> Said:
        """Alert all.

        At once.
        """
        return Said()

    handler = event_handler_spec("alert", alert, tags=["b", "b"])
    assert (handler.name, handler.function, handler.signature.returns) == ("alert", alert, (Said,))
    assert (handler.summary, handler.description, handler.tags) == ("Alert all.", "At once.", ("b",))
    other = event_handler_spec("alert", alert, summary="S", description="D")
    assert (other.summary, other.description) == ("S", "D")


def test_an_event_handler_validates_what_it_is_given() -> None:
    def alert(payload: Say) -> Said:
        return Said()

    handler = event_handler_spec("alert", alert)
    assert handler.validate({"text": "hi"}) == Say(text="hi")
    with pytest.raises(ValidationError):
        handler.validate({"text": 5})
    assert event_handler_spec("alert", undocumented).validate({"any": "thing"}) is None


def wants_context(context: ActionContext) -> Said: ...
def wants_envelope(*, message: Any, envelope) -> Said: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (wants_context, "runs without a connection"),
        (lambda payload, *, context: None, "runs without a connection"),
        (wants_envelope, "nothing fills the parameter 'message'"),
        (yields, "without yield"),
        (yields_too, "without yield"),
    ],
    ids=["context", "keyword", "unknown", "async generator", "generator"],
)
def test_an_event_handler_that_cannot_be_run_is_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(HandlerSignatureError, match=f"^event handler 'alert': .*{message}"):
        event_handler_spec("alert", function)


@pytest.mark.parametrize(
    ("members", "given", "name"),
    [
        ({}, None, "Said"),
        ({"__plugin_name__": "chat.said"}, None, "chat.said"),
        ({"__plugin_name__": "chat.said"}, "other", "other"),
        ({}, "", ""),
    ],
)
def test_a_class_has_a_name(members: dict[str, Any], given: str | None, name: str) -> None:
    assert name_of_class(type("Said", (), members), given) == name


def test_the_name_of_its_parent_is_not_its_own() -> None:
    parent = type("Parent", (), {"__plugin_name__": "parent"})
    assert name_of_class(type("Child", (parent,), {}), None) == "Child"


def test_a_class_with_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(RegistrationError, match="The name of Said must be a string, not int"):
        name_of_class(type("Said", (), {"__plugin_name__": 5}), None)


@pytest.mark.parametrize(
    ("prefix", "name", "full"),
    [("", "say", "say"), ("chat.", "say", "chat.say"), ("", "ws", "ws"), ("", "rozmów się", "rozmów się")],
)
def test_a_name_follows_its_prefix(prefix: str, name: str, full: str) -> None:
    assert check_name(prefix, name, "action") == full


@pytest.mark.parametrize(
    ("prefix", "name", "error", "message"),
    [
        ("", "", RegistrationError, "Action names are non-empty strings without white space around, not ''"),
        ("chat.", " say", RegistrationError, "white space"),
        ("", 5, RegistrationError, "not 5"),
        ("", "ws.say", ReservedNameError, "belong to the protocol, so not 'ws.say'"),
        ("ws.", "say", ReservedNameError, "'ws.say'"),
        ("w", "s.say", ReservedNameError, "'ws.say'"),
        ("", "\ud800", RegistrationError, "Action names must be valid Unicode"),
    ],
    ids=range(7),
)
def test_a_name_that_is_none_is_refused(prefix: str, name: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_name(prefix, name, "action")


def test_a_prefix_is_taken_as_it_is() -> None:
    assert check_prefix("chat.") == "chat."
    assert check_prefix("") == ""


@pytest.mark.parametrize("prefix", [" chat.", None, 5])
def test_a_prefix_that_is_none_is_refused(prefix: Any) -> None:
    with pytest.raises(RegistrationError, match="A prefix is a string without white space around"):
        check_prefix(prefix)


def test_each_tag_is_kept_once() -> None:
    assert check_tags(iter(["b", "a", "b"])) == ("b", "a")
