from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # that of typing is too old for pydantic before Python 3.12

from wsproto_core import ActionContext, ActionEnvelope, Event, HandlerSignatureError, Hub, Registry
from wsproto_core.handlers import (
    ANY_PAYLOAD,
    HandlerForm,
    bind,
    caller_names,
    events_in,
    form_of,
    positional_count,
    read_signature,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES_AT_MODULE_LEVEL = caller_names()


class Say(BaseModel):
    text: str


@dataclasses.dataclass
class SayClass:
    text: str


class SayDict(TypedDict):
    text: str


class Later(BaseModel):
    child: NotYet  # noqa: F821 - a class that is never defined


class Said(Event, register=False):
    event_name = "said"


class Left(Event, register=False):
    event_name = "left"


class Given(NamedTuple):
    """What a call offers to a handler."""

    payload: object = "payload"
    context: object = "context"
    envelope: object = "envelope"
    hub: object = "hub"


class Forms:
    """A handler of each form, as a method."""

    def function(self) -> None: ...

    def generator(self) -> Iterator[Said]:
        yield Said()

    async def coroutine(self) -> None: ...

    async def async_generator(self) -> AsyncIterator[Said]:
        yield Said()


class CallableObject:
    async def __call__(self, payload: Say) -> None: ...


class Depends:
    def __init__(self, dependency: Callable[..., Any]) -> None:
        self.dependency = dependency


@pytest.mark.parametrize(
    ("handler", "form", "is_async"),
    [
        (Forms().function, HandlerForm.FUNCTION, False),
        (Forms().generator, HandlerForm.GENERATOR, False),
        (Forms().coroutine, HandlerForm.COROUTINE, True),
        (Forms().async_generator, HandlerForm.ASYNC_GENERATOR, True),
        (functools.partial(functools.partial(Forms.coroutine), Forms()), HandlerForm.COROUTINE, True),
        (CallableObject(), HandlerForm.COROUTINE, True),
        (functools.partial(CallableObject()), HandlerForm.COROUTINE, True),
        (Said, HandlerForm.FUNCTION, False),
        (print, HandlerForm.FUNCTION, False),
    ],
    ids=[
        "function",
        "generator",
        "coroutine",
        "async generator",
        "partial",
        "object",
        "partial object",
        "class",
        "builtin",
    ],
)
def test_a_handler_has_one_of_four_forms(handler: Callable[..., Any], form: HandlerForm, is_async: bool) -> None:
    assert form_of(handler) is form
    assert form.is_async is is_async


def everything(payload: Say, context: ActionContext, envelope: ActionEnvelope, hub: Hub) -> None: ...
def generic(context: ActionContext[int]) -> None: ...
def optional(context: ActionContext | None, hub: Union[Hub, None]) -> None: ...  # noqa: UP007 - both forms are tested
def annotated(context: Annotated[ActionContext, "hint"]) -> None: ...
def untyped(payload, context, message): ...
def named(envelope, *, context): ...
def keyword(*, hub: Hub, payload: Say) -> None: ...
def loose(payload: Say, *args: int, **options: int) -> None: ...
def positional(payload: Say, context: ActionContext, /) -> None: ...
def defaulted(limit: int = 5, payload: Say | None = None, *, hub: Hub) -> None: ...
def last(payload: Say, limit: int = 5, *, dry: bool = False) -> None: ...
def left_alone(limit: int = 5, /, offset: int = 0) -> None: ...
def no_parameters() -> None: ...
def with_limit(limit: int, payload: Say, context: ActionContext) -> None: ...


@pytest.mark.parametrize(
    ("handler", "positional", "keyword", "payload_type"),
    [
        (everything, ("payload", "context", "envelope", "hub"), (), Say),
        (generic, ("context",), (), None),
        (optional, ("context", "hub"), (), None),
        (annotated, ("context",), (), None),
        (untyped, ("payload", "context", "envelope"), (), ANY_PAYLOAD),
        (named, ("envelope",), (("context", "context"),), None),
        (keyword, (), (("hub", "hub"), ("payload", "payload")), Say),
        (loose, ("payload",), (), Say),
        (positional, ("payload", "context"), (), Say),
        (defaulted, (), (("payload", "payload"), ("hub", "hub")), Say | None),
        (last, ("payload",), (), Say),
        (left_alone, (), (), None),
        (no_parameters, (), (), None),
        (functools.partial(with_limit, 5), ("payload", "context"), (), Say),
        (functools.partial(with_limit, limit=5), (), (("payload", "payload"), ("context", "context")), Say),
        (CallableObject(), ("payload",), (), Say),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_parameters_are_filled_by_annotation(
    handler: Callable[..., Any], positional: tuple[str, ...], keyword: tuple[tuple[str, str], ...], payload_type: object
) -> None:
    signature = read_signature(handler, "it")
    assert (signature.positional, signature.keyword, signature.payload_type) == (positional, keyword, payload_type)


@pytest.mark.parametrize(
    "payload_type",
    [
        Say,
        SayClass,
        SayDict,
        dict[str, int],
        Any,
        Say | SayClass,
        Annotated[Say, Field(description="what")],
        Literal["a"] | Say,
        Later,
    ],
    ids=str,
)
def test_a_payload_is_whatever_pydantic_can_validate(payload_type: object) -> None:
    def handler(payload): ...

    handler.__annotations__["payload"] = payload_type
    assert read_signature(handler, "it").payload_type == payload_type


class Unknown: ...


def no_schema(payload: Unknown) -> None: ...
def literal(payload: Literal["a"]) -> None: ...
def number(payload: int) -> None: ...
def several(payload: list[str]) -> None: ...
def not_imported(payload: Path) -> None: ...
def no_attribute(payload: dataclasses.Nothing) -> None: ...
def no_expression(payload: "dict[") -> None: ...  # noqa: F722 - what is tested
def no_filler(room: str, payload: Say) -> None: ...
def self_too(self, context: ActionContext) -> None: ...
def too_late(limit: int = 5, payload: Say | None = None, /) -> None: ...
def depends(payload: Say, user: Annotated[int, Depends(len)]) -> None: ...
def depends_by_default(user: int = Depends(len)) -> None: ...


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (no_schema, "pydantic cannot validate the payload type .*Unknown"),
        (literal, "a Literal can never match"),
        (number, "a payload is a JSON object, so <class 'int'> can never match one. Make it a field of"),
        (several, r"so list\[str\] can never match one"),
        (not_imported, "annotations cannot be resolved: name 'Path' is not defined.*not only under TYPE_CHECKING"),
        (no_attribute, "annotations cannot be resolved: .*Nothing"),
        (no_expression, "annotations cannot be resolved"),
        (no_filler, "nothing fills the parameter 'room'. Name it 'payload'"),
        (self_too, "nothing fills the parameter 'self'"),
        (too_late, "the positional-only parameter 'payload' comes after one that nothing fills"),
        (depends, "the parameter 'user' asks for a dependency"),
        (depends_by_default, "the parameter 'user' asks for a dependency"),
        (dict, "it has no signature that can be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_filled_is_refused_with_the_name_of_the_handler(
    handler: Callable[..., Any], message: str
) -> None:
    with pytest.raises(HandlerSignatureError, match=f"^action 'x': .*{message}"):
        read_signature(handler, "action 'x'")


def test_a_payload_type_that_pydantic_refuses_is_refused() -> None:
    def handler(payload): ...

    handler.__annotations__["payload"] = Annotated[Say | SayClass, Field(discriminator="kind")]
    with pytest.raises(HandlerSignatureError, match="pydantic refuses the payload type"):
        read_signature(handler, "it")


def test_names_where_the_decorator_stands_can_be_used_in_annotations() -> None:
    class Local(BaseModel):
        text: str

    def handler(payload: Local) -> Said: ...

    assert NAMES_AT_MODULE_LEVEL == {}
    assert caller_names()["Local"] is Local
    assert read_signature(handler, "it", names=caller_names()).payload_type is Local
    with pytest.raises(HandlerSignatureError, match="'Local' is not defined"):
        read_signature(handler, "it")


def test_a_decorator_of_ours_passes_them_on(registry: Registry) -> None:
    class Local(BaseModel):
        text: str

    @registry.action("by_decorator")
    def handler(payload: Local) -> None: ...

    registry.add_action("by_call", handler)
    assert [action.payload_type for action in registry.actions.values()] == [Local, Local]


def gets_nothing():
    return ()


def gets_payload(payload):
    return (payload,)


def gets_context(context):
    return (context,)


def gets_both(payload, context):
    return (payload, context)


def gets_three(context, payload, hub: Hub):
    return (context, payload, hub)


def gets_named(payload, *, hub: Hub, envelope):
    return (payload, hub, envelope)


def gets_the_rest(limit: int = 5, *, payload):
    return (str(limit), payload)


@pytest.mark.parametrize(
    ("handler", "got"),
    [
        (gets_nothing, ()),
        (gets_payload, ("payload",)),
        (gets_context, ("context",)),
        (gets_both, ("payload", "context")),
        (gets_three, ("context", "payload", "hub")),
        (gets_named, ("payload", "hub", "envelope")),
        (gets_the_rest, ("5", "payload")),
    ],
)
def test_a_bound_handler_gets_what_it_asked_for_in_its_place(handler: Callable[..., Any], got: tuple[str, ...]) -> None:
    assert bind(handler, read_signature(handler, "it"))(Given()) == got


@pytest.mark.parametrize(
    ("annotation", "events"),
    [
        (None, ()),
        (Any, ()),
        (Said, (Said,)),
        (Said | None, (Said,)),
        (Union[Said, Left, Said], (Said, Left)),  # noqa: UP007 - both forms are tested
        (list[Said | Left], (Said, Left)),
        (tuple[Left, ...], (Left,)),
        (Iterator[Said], (Said,)),
        (Iterable[Said] | Left, (Said, Left)),
        (AsyncIterator[Said | Left], (Said, Left)),
        (AsyncIterable[Left], (Left,)),
        (Generator[Said, Left, Left], (Said,)),
        (AsyncGenerator[Said, Left], (Said,)),
        (Annotated[Said, "hint"], (Said,)),
        (dict[str, Said], ()),
        (Callable[[], Said], ()),
        (int, ()),
        (Say, ()),
    ],
    ids=str,
)
def test_a_return_annotation_names_events(annotation: object, events: tuple[type[Event], ...]) -> None:
    assert events_in(annotation) == events


def test_a_signature_knows_what_is_returned() -> None:
    assert read_signature(Forms().async_generator, "it").returns == (Said,)
    assert read_signature(Forms().coroutine, "it").returns == ()
    assert read_signature(Forms().coroutine, "it").form is HandlerForm.COROUTINE


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (no_parameters, 0),
        (everything, 4),
        (positional, 2),
        (defaulted, 2),
        (keyword, 0),
        (lambda error, context=None: None, 2),
    ],
    ids=["none", "four", "positional", "defaulted", "keyword", "lambda"],
)
def test_positional_arguments_are_counted(function: Callable[..., Any], count: int) -> None:
    assert positional_count(function) == count


def test_a_function_that_takes_any_number_takes_many() -> None:
    assert positional_count(loose) > 1_000_000
