"""What is known of one action or event handler, read and checked once, at registration."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from wsproto_core.errors import ConfigurationError, HandlerSignatureError, RegistrationError, ReservedNameError
from wsproto_core.events import Event
from wsproto_core.handlers import HandlerForm, Signature, bind, events_in, read_signature
from wsproto_core.problems import PROBLEM_TYPES, Problem, ProblemType, problem_type_of

if TYPE_CHECKING:
    from wsproto_core.context import ActionContext
    from wsproto_core.dispatcher import Call
    from wsproto_core.middleware import Middleware

__all__ = [
    "ActionOptions",
    "ActionSpec",
    "EventHandler",
    "Example",
    "Requirement",
    "action_spec",
    "as_problem_type",
    "check_name",
    "check_prefix",
    "check_tags",
    "event_handler_spec",
    "name_of_class",
]

RESERVED_PREFIX: Final = "ws."

Requirement = Callable[["ActionContext[Any]"], bool | Awaitable[bool]] | Sequence[str]
"""Who may run an action: a function (sync or async) that says yes or no, or the scopes that are needed."""


@dataclass(frozen=True, slots=True)
class Example:
    """A payload for the documentation.

    Attributes:
        payload: as JSON.
        name: of the example.
        summary: one line about it.
    """

    payload: Any
    name: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action, read once.

    Attributes:
        name: what the envelope's ``action`` says.
        function: the handler as it was written.
        signature: what it wants and gives.
        run: calls it with what it wants.
        replies: the event classes that it is documented to answer with.
        summary, description, tags, deprecated: for the documentation.
        examples: payloads, for the documentation.
        problems: the kinds of problems of the application's own that it is documented to answer with.
        timeout: seconds; None takes ``Limits.action_timeout``, ``math.inf`` has none.
        concurrency: how many messages of this action one connection may have running at once; 1 keeps the order.
        requires: who may run it.
        blocking: whether a plain function runs in a worker thread.
        middlewares: run around this action, inside those of the registry.
    """

    name: str
    function: Callable[..., Any]
    signature: Signature
    run: Callable[[Call], Any] = field(repr=False)
    replies: tuple[type[Event], ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    examples: tuple[Example, ...] = ()
    problems: tuple[ProblemType, ...] = ()
    timeout: float | None = None
    concurrency: int = 1
    requires: Requirement | None = None
    blocking: bool = True
    middlewares: tuple[Middleware, ...] = ()

    plain: bool = field(init=False)
    """Whether it is an async function that nothing has to be asked or run for: the usual handler."""

    def __post_init__(self) -> None:
        plain = self.signature.form is HandlerForm.COROUTINE and self.requires is None and not self.middlewares
        object.__setattr__(self, "plain", plain)

    @property
    def payload_type(self) -> Any:
        """What the payload is validated as; None when the action takes none."""
        return self.signature.payload_type


class ActionOptions(TypedDict, total=False):
    """The options of an action, the same for functions and classes; see `Router.action`."""

    reply: type[Event] | Iterable[type[Event]] | None
    summary: str | None
    description: str | None
    tags: Iterable[str]
    timeout: float | None
    concurrency: int | None
    requires: Requirement | None
    blocking: bool
    deprecated: bool
    examples: Iterable[Any] | Mapping[str, Any]
    problems: Iterable[type[Problem] | ProblemType]


@dataclass(frozen=True, slots=True)
class EventHandler:
    """Makes an event from what the server was given: see ``Hub.trigger``."""

    name: str
    function: Callable[..., Any]
    signature: Signature
    run: Callable[[Call], Any] = field(repr=False)
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()

    def validate(self, payload: Any) -> Any:
        """Return the payload as the handler takes it.

        Raises:
            pydantic.ValidationError: it is not what the handler takes.
        """
        payload_type = self.signature.payload_type
        return None if payload_type is None else TypeAdapter(payload_type).validate_python(payload)


def action_spec(
    name: str,
    function: Callable[..., Any],
    *,
    documented: object = None,
    call: Callable[..., Any] | None = None,
    names: dict[str, Any] | None = None,
    **options: Unpack[ActionOptions],
) -> ActionSpec:
    """Read and check an action.

    Args:
        name: its full name.
        function: whose signature is read.
        documented: whose docstring is taken; by default the function's.
        call: what is called instead of the function, with the same arguments.
        names: local names that string annotations may use.
        options: see `Router.action`.

    Raises:
        HandlerSignatureError, RegistrationError, ConfigurationError.
    """
    unknown = set(options) - set(ActionOptions.__annotations__)
    if unknown:
        raise RegistrationError(f"action {name!r}: there is no option {', '.join(map(repr, sorted(unknown)))}.")
    reply = options.get("reply")
    signature = read_signature(function, f"action {name!r}", names=names)
    first_line, rest = _docstring(documented or function)
    return ActionSpec(
        name=name,
        function=function,
        signature=signature,
        run=bind(call or function, signature),
        replies=_replies(reply, name) if reply is not None else signature.returns,
        summary=options.get("summary") or first_line,
        description=options.get("description") or rest,
        tags=check_tags(options.get("tags", ())),
        deprecated=options.get("deprecated", False),
        examples=_examples(options.get("examples", ()), name),
        problems=tuple(as_problem_type(each) for each in options.get("problems", ())),
        timeout=_check_timeout(options.get("timeout"), name),
        concurrency=_check_concurrency(options.get("concurrency"), name),
        requires=_check_requires(options.get("requires"), name),
        blocking=options.get("blocking", True),
    )


def event_handler_spec(
    name: str,
    function: Callable[..., Any],
    *,
    names: dict[str, Any] | None = None,
    summary: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
) -> EventHandler:
    """Read and check an event handler; it runs without a connection.

    Raises:
        HandlerSignatureError.
    """
    signature = read_signature(function, f"event handler {name!r}", names=names)
    if signature.form in {HandlerForm.GENERATOR, HandlerForm.ASYNC_GENERATOR}:
        raise HandlerSignatureError(f"event handler {name!r}: it returns the event, or a list of them, without yield.")
    wanted = {*signature.positional, *(wanted for _, wanted in signature.keyword)}
    if wanted - {"payload", "hub"}:
        raise HandlerSignatureError(
            f"event handler {name!r}: it runs without a connection, so it can ask for the payload and the Hub only."
        )
    first_line, rest = _docstring(function)
    return EventHandler(
        name=name,
        function=function,
        signature=signature,
        run=bind(function, signature),
        summary=summary or first_line,
        description=description or rest,
        tags=check_tags(tags),
    )


def name_of_class(cls: type, name: str | None) -> str:
    """Return the name that a class registers under: ``name=``, else its ``__plugin_name__``, else its own."""
    chosen = name if name is not None else cls.__dict__.get("__plugin_name__", cls.__name__)
    if not isinstance(chosen, str):
        raise RegistrationError(f"The name of {cls.__qualname__} must be a string, not {type(chosen).__name__}.")
    return chosen


def check_name(prefix: str, name: object, what: str) -> str:
    """Return the full name of something.

    Raises:
        RegistrationError: the name is no text, empty, or has white space around.
        ReservedNameError: it begins with ``ws.``.
    """
    if not isinstance(name, str) or not name or name != name.strip():
        raise RegistrationError(
            f"{what.capitalize()} names are non-empty strings without white space around, not {name!r}."
        )
    name = prefix + name
    if name.startswith(RESERVED_PREFIX):
        raise ReservedNameError(f"Names that begin with {RESERVED_PREFIX!r} belong to the protocol, so not {name!r}.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RegistrationError(f"{what.capitalize()} names must be valid Unicode.") from None
    return name


def check_prefix(prefix: str) -> str:
    """Return a prefix.

    Raises:
        RegistrationError: it is no text, or has white space around.
    """
    if not isinstance(prefix, str) or prefix != prefix.strip():
        raise RegistrationError(
            f"A prefix is a string without white space around, for example 'chat.', not {prefix!r}."
        )
    return prefix


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, each once.

    Raises:
        ConfigurationError: a single string.
    """
    if isinstance(tags, str):
        raise ConfigurationError(f"tags takes a list of strings, not one string: [{tags!r}].")
    return tuple(dict.fromkeys(tags))


def _check_timeout(timeout: float | None, name: str) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or math.isnan(timeout) or timeout <= 0:
        raise ConfigurationError(f"action {name!r}: timeout is a number of seconds above 0 (math.inf for none).")
    return float(timeout)


def _check_concurrency(concurrency: int | None, name: str) -> int:
    if concurrency is None:
        return 1
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigurationError(f"action {name!r}: concurrency is a whole number from 1, not {concurrency!r}.")
    return concurrency


def _check_requires(requires: Requirement | None, name: str) -> Requirement | None:
    if requires is None or callable(requires):
        return requires
    if isinstance(requires, str):
        raise ConfigurationError(f"action {name!r}: requires takes a list of scopes: requires=[{requires!r}].")
    scopes = tuple(requires) if isinstance(requires, Iterable) else ()
    # An empty list would let in everybody, which is hardly what was meant.
    if not scopes or not all(isinstance(scope, str) and scope for scope in scopes):
        raise ConfigurationError(f"action {name!r}: requires takes a function or a list of scope names.")
    return scopes


def as_problem_type(problem: object) -> ProblemType:
    """Return the kind of a problem that is documented: as it is, or that of a subclass of `Problem`.

    Raises:
        ConfigurationError: it is neither.
    """
    if isinstance(problem, ProblemType):
        return problem
    if isinstance(problem, type) and issubclass(problem, Problem):
        return problem_type_of(problem) or PROBLEM_TYPES[Problem(status=problem.status or None, code=problem.code).code]
    raise ConfigurationError(f"problems takes subclasses of Problem and ProblemType(...), not {problem!r}.")


def _examples(given: Any, name: str) -> tuple[Example, ...]:
    """Return examples: a list of payloads, or payloads by name, as FastAPI's ``openapi_examples`` has them."""
    if isinstance(given, (str, bytes, BaseModel)) or not isinstance(given, Iterable):
        raise ConfigurationError(f"action {name!r}: examples takes a list of payloads, or a dict of them by name.")
    if not isinstance(given, Mapping):
        return tuple(Example(to_jsonable_python(each, by_alias=True)) for each in given)
    examples = []
    for title, each in given.items():
        described = isinstance(each, Mapping) and "value" in each and each.keys() <= {"value", "summary", "description"}
        payload = each["value"] if described else each
        summary = (each.get("summary") or each.get("description")) if described else None
        examples.append(Example(to_jsonable_python(payload, by_alias=True), str(title), summary))
    return tuple(examples)


def _replies(reply: Any, name: str) -> tuple[type[Event], ...]:
    replies = events_in(reply)
    if not replies and isinstance(reply, Iterable):
        replies = tuple(event for each in reply for event in events_in(each))
    if not replies:
        raise RegistrationError(f"action {name!r}: reply takes an Event class or several, not {reply!r}.")
    return replies


def _docstring(documented: object) -> tuple[str | None, str | None]:
    while isinstance(documented, functools.partial):
        documented = documented.func
    text = inspect.getdoc(documented) if getattr(documented, "__doc__", None) else None
    if not text:
        return None, None
    first_line, _, rest = text.partition("\n")
    return first_line.strip() or None, rest.strip() or None
