"""Actions, events, recipients, typed topics and handlers by name; nothing is replaced silently.

A `Registry` is what a hub dispatches from. A `Router` collects the same things for a part of an application and is
included into a registry, with a prefix.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace as dataclass_replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, cast

from wsproto_core.errors import (
    ConfigurationError,
    DuplicateNameError,
    HandlerSignatureError,
    RegistrationError,
    ReservedNameError,
)
from wsproto_core.events import Event
from wsproto_core.handlers import HandlerForm, caller_names, form_of
from wsproto_core.recipients import BUILTIN_KINDS, RecipientResolver
from wsproto_core.specs import (
    ActionOptions,
    ActionSpec,
    EventHandler,
    action_spec,
    as_problem_type,
    check_name,
    check_prefix,
    check_tags,
    event_handler_spec,
)

if TYPE_CHECKING:
    from wsproto_core.middleware import Middleware
    from wsproto_core.problems import Problem, ProblemType
    from wsproto_core.typed_topics import Topic

__all__ = [
    "Registry",
    "Router",
    "action",
    "default_registry",
    "event_handler",
    "exception_handler",
    "middleware",
    "recipient",
    "registry_or_default",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

ExceptionHandler = Callable[..., "Problem | Awaitable[Problem]"]


class Router:
    """Collects actions, events, recipients and handlers for a part of an application.

    Args:
        prefix: put before the names of its actions and event handlers, for example ``"chat."``.
        tags: for the documentation of its actions.
    """

    def __init__(self, *, prefix: str = "", tags: Iterable[str] = ()) -> None:
        self.prefix = check_prefix(prefix)
        self.tags = check_tags(tags)
        self._lock = threading.RLock()
        self._actions: dict[str, ActionSpec] = {}
        self._events: dict[str, type[Event]] = {}
        self._recipients: dict[str, RecipientResolver] = {}
        self._event_handlers: dict[str, EventHandler] = {}
        self._exception_handlers: dict[type[BaseException], ExceptionHandler] = {}
        self._topics: dict[str, type[Topic]] = {}
        self._problems: dict[ProblemType, None] = {}
        self._middlewares: list[Middleware] = []
        self.has_middlewares = False
        """Whether there is any middleware; asked for each message."""
        self.version = 0
        """Rises with each change, so that tables made of a registry know when they are old."""

    @property
    def actions(self) -> Mapping[str, ActionSpec]:
        """The actions by their full name."""
        return MappingProxyType(self._actions)

    @property
    def events(self) -> Mapping[str, type[Event]]:
        """The events by name."""
        return MappingProxyType(self._events)

    @property
    def recipients(self) -> Mapping[str, RecipientResolver]:
        """The resolvers of the application's own kinds of recipient."""
        return MappingProxyType(self._recipients)

    @property
    def event_handlers(self) -> Mapping[str, EventHandler]:
        """The event handlers by their full name."""
        return MappingProxyType(self._event_handlers)

    @property
    def exception_handlers(self) -> Mapping[type[BaseException], ExceptionHandler]:
        """The exception handlers by the exception's class."""
        return MappingProxyType(self._exception_handlers)

    @property
    def topics(self) -> Mapping[str, type[Topic]]:
        """The typed topics by the filter that their pattern makes, as ``discussion/+``."""
        return MappingProxyType(self._topics)

    @property
    def problems(self) -> tuple[ProblemType, ...]:
        """The kinds of problems that `add_problem` was given."""
        return tuple(self._problems)

    @property
    def middlewares(self) -> tuple[Middleware, ...]:
        """The middlewares, outermost first."""
        return tuple(self._middlewares)

    def action(
        self, name: str, *, replace: bool = False, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Register the decorated function, which is returned unchanged, as an action.

        Args:
            name: what the envelope's ``action`` says, after this router's prefix.
            replace: True replaces an action of the same name on purpose.
            options:
                reply: the event or events that it answers with; by default what its return annotation names.
                summary: one line for the documentation; by default the first line of the docstring.
                description: by default the rest of the docstring.
                tags: for the documentation.
                timeout: seconds; None takes ``Limits.action_timeout``, ``math.inf`` has none.
                concurrency: how many messages of this action one connection may have running at once; 1 keeps order.
                requires: a function ``context -> bool`` (sync or async), or the scopes that the user needs.
                blocking: False runs a plain function on the event loop instead of in a worker thread.
                deprecated: for the documentation.
                examples: payloads for the documentation: a list of them, or a dict of them by name.
                problems: for the documentation: subclasses of `Problem`, or `ProblemType`, that it may answer with.
                    Those that its code names are found without it.

        Raises:
            DuplicateNameError, ReservedNameError, HandlerSignatureError, ConfigurationError.
        """
        _check_decorates(name, "action")
        names = caller_names()

        def register(function: _Function) -> _Function:
            self.add_action(name, function, replace=replace, names=names, **options)
            return function

        return register

    def add_action(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        replace: bool = False,
        documented: object = None,
        call: Callable[..., Any] | None = None,
        names: dict[str, Any] | None = None,
        **options: Unpack[ActionOptions],
    ) -> ActionSpec:
        """Register a function as an action without a decorator; see `action`.

        Args:
            name: as for `action`.
            function: whose signature is read.
            replace: as for `action`.
            documented: whose docstring is taken; by default the function's.
            call: what is called instead of the function, with the same arguments.
            names: local names that string annotations may use.
            options: as for `action`.
        """
        full_name = check_name(self.prefix, name, "action")
        if not callable(function):
            raise HandlerSignatureError(f"action {full_name!r}: {function!r} cannot be called.")
        options["tags"] = (*self.tags, *check_tags(options.get("tags", ())))
        spec = action_spec(
            full_name, function, documented=documented, call=call, names=names or caller_names(), **options
        )
        self._put(self._actions, full_name, spec, "action", replace=replace)
        return spec

    def add_event(self, event: type[Event], *, replace: bool = False) -> None:
        """Register an event class under its name; defining one does it by itself.

        Raises:
            DuplicateNameError, ReservedNameError.
        """
        self._put(self._events, check_name("", event.event_name, "event"), event, "event", replace=replace)

    def add_topic(self, shape: str, topic: type[Topic], *, replace: bool = False) -> None:
        """Register a typed topic; defining one does it by itself.

        Raises:
            DuplicateNameError.
        """
        self._put(self._topics, shape, topic, "typed topic", replace=replace)

    def add_problem(self, problem: type[Problem] | ProblemType) -> None:
        """Have the documentation list a kind of problem of the application's own; adding it twice does no harm.

        Args:
            problem: a subclass of `Problem`, or a `ProblemType`.

        Raises:
            ConfigurationError: it is neither.
        """
        kind = as_problem_type(problem)
        with self._lock:
            self._problems[kind] = None
            self.version += 1

    def recipient(self, kind: str, *, replace: bool = False) -> Callable[[_Function], _Function]:
        """Register the decorated function, ``recipient_id -> connection ids``, for a kind of recipient.

        Raises:
            DuplicateNameError, ReservedNameError.
        """
        _check_decorates(kind, "recipient")

        def register(function: _Function) -> _Function:
            self.add_recipient(kind, function, replace=replace)
            return function

        return register

    def add_recipient(self, kind: str, resolver: RecipientResolver, *, replace: bool = False) -> None:
        """Register a resolver without a decorator; see `recipient`."""
        if kind in BUILTIN_KINDS:
            raise ReservedNameError(f"The recipient {kind!r} is built in; choose another name.")
        if not callable(resolver):
            raise HandlerSignatureError(f"recipient {kind!r}: {resolver!r} cannot be called.")
        self._put(self._recipients, check_name("", kind, "recipient"), resolver, "recipient", replace=replace)

    def event_handler(
        self,
        name: str,
        *,
        summary: str | None = None,
        description: str | None = None,
        tags: Iterable[str] = (),
        replace: bool = False,
    ) -> Callable[[_Function], _Function]:
        """Register the decorated function, which ``hub.trigger(name, payload, to=…)`` runs to make the event.

        Raises:
            DuplicateNameError, ReservedNameError, HandlerSignatureError.
        """
        _check_decorates(name, "event_handler")
        names = caller_names()

        def register(function: _Function) -> _Function:
            full_name = check_name(self.prefix, name, "event handler")
            handler = event_handler_spec(
                full_name,
                function,
                names=names,
                summary=summary,
                description=description,
                tags=(*self.tags, *check_tags(tags)),
            )
            self._put(self._event_handlers, full_name, handler, "event handler", replace=replace)
            return function

        return register

    def exception_handler(
        self, error: type[BaseException], *, replace: bool = False
    ) -> Callable[[_Function], _Function]:
        """Register the decorated function, ``error -> Problem`` or ``(error, context) -> Problem``.

        Raises:
            DuplicateNameError: the class has a handler already.
            RegistrationError: no exception class.
        """
        if not (isinstance(error, type) and issubclass(error, Exception)):
            raise RegistrationError(f"exception_handler takes a subclass of Exception, not {error!r}.")

        def register(function: _Function) -> _Function:
            self._put(self._exception_handlers, error, function, "exception handler", replace=replace)
            return function

        return register

    def middleware(self, function: _Function) -> _Function:
        """Register the decorated ``async (call, next)``; those registered first are outermost.

        Raises:
            HandlerSignatureError: not an async function of two parameters.
        """
        if form_of(function) is not HandlerForm.COROUTINE:
            raise HandlerSignatureError(
                "A middleware is an async function: async def timing(call, next): return await next(call)"
            )
        try:
            inspect.signature(function).bind(None, None)
        except TypeError:
            raise HandlerSignatureError("A middleware takes two parameters, (call, next).") from None
        self._middlewares.append(cast("Middleware", function))
        self.has_middlewares = True
        self.version += 1
        return function

    def include(self, router: Router, *, prefix: str = "", tags: Iterable[str] = (), replace: bool = False) -> None:
        """Take over what a router has collected so far.

        The router's middlewares go on to run around its own actions only; its exception handlers, recipients,
        typed topics and events are shared.

        Args:
            router: what to include; its own prefix comes after this one.
            prefix: put before the names of its actions and event handlers, for example ``"user."``.
            tags: added to its actions' tags.
            replace: True replaces what has the same name on purpose.

        Raises:
            DuplicateNameError: a name is taken; nothing of the router is taken over then.
        """
        if router is self:
            raise RegistrationError("A router cannot include itself.")
        prefix = self.prefix + check_prefix(prefix)
        tags = (*self.tags, *check_tags(tags))
        actions = {
            name: dataclass_replace(
                spec,
                name=name,
                tags=tuple(dict.fromkeys((*tags, *spec.tags))),
                middlewares=(*router._middlewares, *spec.middlewares),
            )
            for spec in router._actions.values()
            if (name := check_name(prefix, spec.name, "action"))
        }
        handlers = {
            name: dataclass_replace(handler, name=name)
            for handler in router._event_handlers.values()
            if (name := check_name(prefix, handler.name, "event handler"))
        }
        taken_over: list[tuple[str, dict[Any, Any], dict[Any, Any]]] = [
            ("action", self._actions, actions),
            ("event handler", self._event_handlers, handlers),
            ("event", self._events, router._events),
            ("recipient", self._recipients, router._recipients),
            ("typed topic", self._topics, router._topics),
            ("exception handler", self._exception_handlers, router._exception_handlers),
        ]
        with self._lock:
            for what, table, additions in taken_over:
                for key, value in additions.items():
                    if not replace and key in table and table[key] is not value:
                        raise _taken(what, key, table[key])
            for _, table, additions in taken_over:
                table.update(additions)
            self._problems.update(router._problems)
            self.version += 1

    def _put(self, table: dict[Any, Any], name: object, value: Any, what: str, *, replace: bool) -> None:
        with self._lock:
            if name in table and table[name] is not value and not replace:
                raise _taken(what, name, table[name])
            table[name] = value
            self.version += 1

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._actions)} actions, {len(self._events)} events>"


class Registry(Router):
    """What a hub dispatches from. Make one of your own for isolation; without one there is `default_registry`."""


default_registry: Final = Registry()
"""Where the module-level decorators and the classes register."""


def action(
    name: str, *, replace: bool = False, registry: Router | None = None, **options: Unpack[ActionOptions]
) -> Callable[[_Function], _Function]:
    """Register the decorated function in the default registry, or in ``registry``; see `Router.action`."""
    return registry_or_default(registry).action(name, replace=replace, **options)


def recipient(kind: str, *, replace: bool = False, registry: Router | None = None) -> Callable[[_Function], _Function]:
    """Register the decorated resolver in the default registry, or in ``registry``; see `Router.recipient`."""
    return registry_or_default(registry).recipient(kind, replace=replace)


def event_handler(
    name: str,
    *,
    summary: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    replace: bool = False,
    registry: Router | None = None,
) -> Callable[[_Function], _Function]:
    """Register the decorated function in the default registry, or in ``registry``; see `Router.event_handler`."""
    return registry_or_default(registry).event_handler(
        name, summary=summary, description=description, tags=tags, replace=replace
    )


def exception_handler(
    error: type[BaseException], *, replace: bool = False, registry: Router | None = None
) -> Callable[[_Function], _Function]:
    """Register the decorated function in the default registry, or in ``registry``; see `Router.exception_handler`."""
    return registry_or_default(registry).exception_handler(error, replace=replace)


def middleware(function: _Function) -> _Function:
    """Register the decorated middleware in the default registry; see `Router.middleware`."""
    return default_registry.middleware(function)


def registry_or_default(registry: Router | None) -> Router:
    """Return the registry to use.

    Raises:
        ConfigurationError: something that is no registry.
    """
    if registry is None:
        return default_registry
    if not isinstance(registry, Router):
        raise ConfigurationError(f"registry must be a Registry or a Router, not {type(registry).__name__}.")
    return registry


def _check_decorates(name: object, decorator: str) -> None:
    """Refuse a decorator without parentheses, which would register nothing and take the handler's place."""
    if callable(name):
        called = getattr(name, "__name__", "name")
        raise RegistrationError(f'@{decorator} is called with a name: write @{decorator}("{called}").')


def _taken(what: str, name: object, holder: object) -> DuplicateNameError:
    shown = name.__name__ if isinstance(name, type) else name
    return DuplicateNameError(
        f"The {what} {shown!r} is registered already ({_where(holder)}); choose another name, "
        "use a Registry of its own, or pass replace=True."
    )


def _where(value: Any) -> str:
    target = getattr(value, "function", value)
    return f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', type(target).__name__)}"
