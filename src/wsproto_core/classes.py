"""Actions and recipients in class style, as beeflow-websocket has them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Unpack, cast

from wsproto_core.errors import HandlerSignatureError
from wsproto_core.handlers import caller_names
from wsproto_core.registry import Router, registry_or_default
from wsproto_core.specs import ActionOptions, name_of_class

__all__ = ["Action", "Recipient"]


class Action:
    """Base of actions in class style; a new instance is made for each message.

    ::

        class Echo(Action, name="echo"):
            async def execute(self, message: ActionEnvelope, context: ActionContext) -> AsyncIterator[Event]:
                yield Echoed(text=message.payload["text"])

    ``execute`` may have any form and any parameters that a handler function may have.

    Class keywords:
        name: the action's name; without it ``__plugin_name__``, then the class's name.
        register: False (or ``__register__ = False``) keeps a base class out of the registry.
        registry: where it is registered, instead of the default registry.
        replace: True replaces an action of the same name on purpose.
        options: those of `Router.action`.

    Raises:
        DuplicateNameError, ReservedNameError, HandlerSignatureError, ConfigurationError.
    """

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        register: bool = True,
        registry: Router | None = None,
        replace: bool = False,
        **options: Unpack[ActionOptions],
    ) -> None:
        super().__init_subclass__()
        if not register or not cls.__dict__.get("__register__", True):
            return

        def call(*arguments: Any, **keywords: Any) -> Any:
            return cls().execute(*arguments, **keywords)

        # Bound to no instance yet: only its signature is read.
        execute = cast("Callable[..., Any]", _own(cls, "execute").__get__(object(), cls))
        registry_or_default(registry).add_action(
            name_of_class(cls, name),
            execute,
            documented=cls,
            call=call,
            names=caller_names(),
            replace=replace,
            **options,
        )

    if TYPE_CHECKING:
        # A subclass may give it any of the four forms and any parameters that a handler may have.
        execute: Callable[..., Any]


class Recipient:
    """Base of recipient resolvers in class style: ``resolve(recipient_id)`` gives connection ids, sync or async.

    The class keywords are those of `Action`, without the options.
    """

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        register: bool = True,
        registry: Router | None = None,
        replace: bool = False,
    ) -> None:
        super().__init_subclass__()
        if not register or not cls.__dict__.get("__register__", True):
            return

        _own(cls, "resolve")

        def resolve(recipient_id: str) -> Any:
            return cls().resolve(recipient_id)

        registry_or_default(registry).add_recipient(name_of_class(cls, name), resolve, replace=replace)

    if TYPE_CHECKING:

        def resolve(self, recipient_id: str) -> Iterable[str] | Awaitable[Iterable[str]]:
            """Return the ids of the connections that this recipient stands for."""
            ...


def _own(cls: type, name: str) -> Any:
    """Return the method that a class has to bring along, as it was written."""
    method = inspect.getattr_static(cls, name, None)
    if method is None:
        raise HandlerSignatureError(f"{cls.__qualname__} has no {name}(); register=False keeps a base class out.")
    return method
