"""Reads a handler's signature once, at registration, and says how to call it (api: "Declare").

A handler is a function or an async function, a generator or an async generator; its parameters are filled by
annotation. What cannot be filled is refused here, with the name of the parameter and what to do about it.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from wsproto_core.errors import HandlerSignatureError
from wsproto_core.events import Event

if TYPE_CHECKING:
    from wsproto_core.dispatcher import Call

__all__ = [
    "ANY_PAYLOAD",
    "HandlerForm",
    "Signature",
    "bind",
    "caller_names",
    "form_of",
    "positional_count",
    "read_signature",
]

ANY_PAYLOAD: Final = dict[str, Any]

_Filler = Callable[["Call"], Any]

_FILLERS: Final[dict[str, _Filler]] = {
    "payload": lambda call: call.payload,
    "context": lambda call: call.context,
    "envelope": lambda call: call.envelope,
    "hub": lambda call: call.hub,
}
# The modules between a decorator and the code that it is applied in.
_REGISTERING: Final = frozenset({"wsproto_core.handlers", "wsproto_core.registry", "wsproto_core.classes"})
# How class-style actions and untyped handlers name what they want.
_NEVER_OBJECTS: Final = (int, float, str, bool, bytes, list, tuple, set, frozenset, type(None))
_BY_NAME: Final = {"payload": "payload", "context": "context", "message": "envelope", "envelope": "envelope"}


class HandlerForm(Enum):
    """What calling a handler gives."""

    FUNCTION = "function"
    GENERATOR = "generator"
    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async generator"

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop."""
        return self in {HandlerForm.COROUTINE, HandlerForm.ASYNC_GENERATOR}


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler wants and gives.

    Attributes:
        form: what calling it gives.
        positional: what fills its positional parameters, in order.
        keyword: what fills its keyword-only parameters.
        payload_type: what the payload is validated as; None when the handler takes none.
        returns: the event classes that its return annotation names.
    """

    form: HandlerForm
    positional: tuple[str, ...]
    keyword: tuple[tuple[str, str], ...]
    payload_type: Any
    returns: tuple[type[Event], ...]


def form_of(function: Callable[..., Any]) -> HandlerForm:
    """Tell which of the four forms a callable has; looks through `functools.partial` and objects with ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return HandlerForm.ASYNC_GENERATOR
    if inspect.iscoroutinefunction(function):
        return HandlerForm.COROUTINE
    if inspect.isgeneratorfunction(function):
        return HandlerForm.GENERATOR
    return HandlerForm.FUNCTION


def caller_names() -> dict[str, Any]:
    """Return the local names where a decorator is being applied: string annotations may name classes made there."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in _REGISTERING:
        frame = frame.f_back
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def read_signature(function: Callable[..., Any], what: str, *, names: dict[str, Any] | None = None) -> Signature:
    """Read what a handler wants and gives.

    Args:
        function: the handler.
        what: how error messages call it, for example ``action 'chat.say'``.
        names: local names that string annotations may use.

    Raises:
        HandlerSignatureError: a parameter that nothing can fill, an annotation that cannot be resolved, a payload
            type that pydantic cannot validate.
    """
    hints = _hints(function, what, names or {})
    positional: list[str] = []
    keyword: list[tuple[str, str]] = []
    payload_type: Any = None
    by_name = False
    for parameter in _parameters(function, what):
        annotation = hints.get(parameter.name, parameter.annotation)
        wanted = _wanted(parameter, annotation, what)
        # What comes after a parameter that is left at its default can only be given by name.
        by_name = by_name or wanted is None or parameter.kind is parameter.KEYWORD_ONLY
        if wanted is None:
            continue
        if wanted == "payload":
            payload_type = ANY_PAYLOAD if annotation is parameter.empty else annotation
            _check_payload_type(payload_type, what)
        if not by_name:
            positional.append(wanted)
        elif parameter.kind is not parameter.POSITIONAL_ONLY:
            keyword.append((parameter.name, wanted))
        else:
            raise HandlerSignatureError(
                f"{what}: the positional-only parameter {parameter.name!r} comes after one that nothing fills. "
                "Put it first."
            )
    return Signature(
        form=form_of(function),
        positional=tuple(positional),
        keyword=tuple(keyword),
        payload_type=payload_type,
        returns=events_in(hints.get("return")),
    )


def bind(function: Callable[..., Any], signature: Signature) -> Callable[[Call], Any]:
    """Return a function that takes the call and calls the handler with what it wants."""
    fillers = tuple(_FILLERS[name] for name in signature.positional)
    if signature.keyword:
        keyword = tuple((name, _FILLERS[wanted]) for name, wanted in signature.keyword)
        return lambda call: function(*[fill(call) for fill in fillers], **{name: fill(call) for name, fill in keyword})
    # The usual shapes without building an argument list: this runs for each message.
    match signature.positional:
        case ():
            return lambda call: function()
        case ("payload",):
            return lambda call: function(call.payload)
        case ("context",):
            return lambda call: function(call.context)
        case ("payload", "context"):
            return lambda call: function(call.payload, call.context)
        case _:
            return lambda call: function(*[fill(call) for fill in fillers])


def events_in(annotation: Any) -> tuple[type[Event], ...]:
    """Return the event classes that an annotation names: ``Said``, ``AsyncIterator[Said | Left]``, ``list[Said]``."""
    if isinstance(annotation, type) and issubclass(annotation, Event):
        return (annotation,)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return events_in(typing.get_args(annotation)[0])
    arguments = typing.get_args(annotation)
    if origin in {AsyncGenerator, Generator}:
        arguments = arguments[:1]
    elif origin not in {Union, UnionType, AsyncIterator, AsyncIterable, Iterator, Iterable, list, tuple, set}:
        return ()
    found = [event for argument in arguments for event in events_in(argument)]
    return tuple(dict.fromkeys(found))


def positional_count(function: Callable[..., Any]) -> int:
    """Return how many positional arguments a function takes at most; many, when it takes any number."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return sys.maxsize
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(parameter.kind in positional for parameter in parameters)


def _hints(function: Callable[..., Any], what: str, names: dict[str, Any]) -> dict[str, Any]:
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if not (inspect.isroutine(target) or inspect.isclass(target)):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target, localns=names, include_extras=True)
    except Exception as error:
        # Whatever an annotation raises when it is evaluated; most often it is a NameError.
        raise HandlerSignatureError(
            f"{what}: its annotations cannot be resolved: {error}. Import what they name at run time "
            "(not only under TYPE_CHECKING), and define it before the handler."
        ) from error


def _parameters(function: Callable[..., Any], what: str) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise HandlerSignatureError(f"{what}: it has no signature that can be read: {error}.") from error
    return [each for each in parameters if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}]


def _wanted(parameter: inspect.Parameter, annotation: Any, what: str) -> str | None:
    """Say what fills a parameter; None leaves it at its default."""
    if typing.get_origin(annotation) is Annotated:
        base, *extras = typing.get_args(annotation)
    else:
        base, extras = annotation, []
    if any(hasattr(extra, "dependency") for extra in (*extras, parameter.default)):
        raise HandlerSignatureError(
            f"{what}: the parameter {parameter.name!r} asks for a dependency, and handlers do not have those yet. "
            "Resolve it in the route, and pass it on with handle_websocket(..., state={...})."
        )
    if parameter.name == "payload":
        return "payload"
    for candidate in _members(base):
        inject = getattr(typing.get_origin(candidate) or candidate, "__wsproto_inject__", None)
        if isinstance(inject, str):
            return inject
    if annotation is parameter.empty and parameter.name in _BY_NAME:
        return _BY_NAME[parameter.name]
    if parameter.default is not parameter.empty:
        return None
    raise HandlerSignatureError(
        f"{what}: nothing fills the parameter {parameter.name!r}. Name it 'payload' to get the validated payload, "
        "annotate it with ActionContext, ActionEnvelope or Hub, or give it a default."
    )


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {Union, UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _check_payload_type(payload_type: Any, what: str) -> None:
    if typing.get_origin(payload_type) is Literal:
        raise HandlerSignatureError(f"{what}: a payload is a JSON object, so a Literal can never match one.")
    kind = typing.get_origin(payload_type) or payload_type
    if any(kind is each for each in _NEVER_OBJECTS):
        raise HandlerSignatureError(
            f"{what}: a payload is a JSON object, so {payload_type!r} can never match one. Make it a field of a "
            "pydantic model, a dataclass or a TypedDict."
        )
    try:
        # What a model names and a later class brings is let through; the first message finds out.
        TypeAdapter(payload_type)
    except PydanticSchemaGenerationError as error:
        raise HandlerSignatureError(
            f"{what}: pydantic cannot validate the payload type {payload_type!r}. "
            "Use a pydantic model, a dataclass, a TypedDict or another type that it knows."
        ) from error
    except PydanticUserError as error:
        raise HandlerSignatureError(f"{what}: pydantic refuses the payload type: {error.message}") from error
