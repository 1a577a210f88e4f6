"""Events: what the server says. An `Event` is a pydantic model whose fields are the payload."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict
from typing_extensions import Format, TypeIs, get_annotations

from wsproto_core.errors import EventDefinitionError
from wsproto_core.recipients import Audience, SupportsAudience, TopicFilter, connection

if TYPE_CHECKING:
    from wsproto_core.envelopes import EventEnvelope

__all__ = ["NOWHERE", "Emittable", "Event", "Target", "as_audiences", "is_event", "target_of"]

_METHODS: Final = frozenset({"to", "emit"})


@runtime_checkable
class Emittable(Protocol):
    """Anything that can say which envelope it is. `Event` is the usual way; this is the contract for the rest."""

    async def emit(self) -> EventEnvelope:
        """Return the envelope."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """To whom an event goes.

    Attributes:
        audiences: in this order; a connection that several of them reach gets the event once, under the first.
        exclude: ids of connections that do not get it.
        key: what the ``conflate`` policy keeps the newest of.
    """

    audiences: tuple[Audience, ...] = ()
    exclude: frozenset[str] = frozenset()
    key: str | None = None


NOWHERE = Target()


def as_audiences(
    to: Audience | SupportsAudience | Iterable[Audience | SupportsAudience] | None,
) -> tuple[Audience, ...]:
    """Return audiences as a tuple, from one of them or several.

    Raises:
        TypeError: something is no audience; a plain string is ambiguous and refused.
    """
    if to is None:
        return ()
    if isinstance(to, Audience):
        if isinstance(to, TopicFilter):
            raise TypeError(f"An event goes to a topic, not to the filter {to.id!r}; say topic(…).")
        return (to,)
    if isinstance(to, str):
        raise TypeError(f"An audience is room(…), user(…), connection(…), topic(…) or everyone(), not the text {to!r}.")
    as_audience = getattr(to, "as_audience", None)
    if as_audience is not None:
        return (as_audience(),)
    if isinstance(to, Iterable):
        return tuple(audience for each in to for audience in as_audiences(each))
    raise TypeError(f"An audience is room(…), user(…), connection(…), topic(…) or everyone(), not {type(to).__name__}.")


def _excluded(exclude: str | Audience | Iterable[str | Audience]) -> frozenset[str]:
    if isinstance(exclude, (str, Audience)):
        exclude = (exclude,)
    ids = [each if isinstance(each, Audience) else connection(each) for each in exclude]
    for audience in ids:
        if audience.kind != "websocket":
            raise TypeError(f"exclude= takes connection ids, not a {audience.kind} audience.")
    return frozenset(audience.id for audience in ids)


class Event(BaseModel):
    """Base of all events. Its fields are the payload; its name is on the wire.

    ::

        class Said(Event, name="chat.said"):
            text: str

        Said(text="hi").to(room("lobby"))

    Class keywords:
        name: the event's name; without it ``__plugin_name__``, then the class's name.
        register: False (or ``__register__ = False``) keeps a base class out of the registry.
        registry: where it is registered, instead of the default registry.
        replace: True replaces an event of the same name on purpose.

    Raises:
        EventDefinitionError: a field is called ``to``, ``emit`` or ``event_name``.
        DuplicateNameError: the name is taken in this registry.
    """

    # Infinity would become null, silently; as a constant it is seen and refused (see `encoding`).
    model_config = ConfigDict(ser_json_inf_nan="constants")

    event_name: ClassVar[str]

    # `to` puts another one into the instance. A private attribute would make each event a third more expensive.
    wsproto_target_: ClassVar[Target] = NOWHERE

    def __init_subclass__(cls, **_: Any) -> None:
        super().__init_subclass__()
        # Looked for before pydantic, which would only warn; a base class may bring the field along.
        for base in cls.__mro__:
            _refuse_to_hide(cls, _METHODS.intersection(get_annotations(base, format=Format.FORWARDREF)))

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        name: str | None = None,
        register: bool = True,
        registry: Any = None,
        replace: bool = False,
        **_: Any,
    ) -> None:
        from wsproto_core.registry import registry_or_default
        from wsproto_core.specs import name_of_class

        _refuse_to_hide(cls, {"event_name"}.intersection(cls.model_fields))
        if not register or not cls.__dict__.get("__register__", True):
            return
        if cls.__pydantic_generic_metadata__["origin"] is not None:
            return  # Said[int] is Said: it has its name, and that is registered
        cls.event_name = name_of_class(cls, name)
        registry_or_default(registry).add_event(cls, replace=replace)

    def to(
        self,
        *audiences: Audience | SupportsAudience,
        exclude: str | Audience | Iterable[str | Audience] = (),
        key: str | None = None,
    ) -> Self:
        """Return a copy that is addressed to these audiences.

        Args:
            audiences: `room`, `user`, `connection`, `topic`, `everyone`, or an `Audience` of a kind of your own.
            exclude: connection ids that do not get it, for example ``context.connection_id``.
            key: what the ``conflate`` policy of a slow consumer keeps the newest of.
        """
        addressed = copy.copy(self)
        vars(addressed)["wsproto_target_"] = Target(as_audiences(audiences), _excluded(exclude), key)
        return addressed

    async def emit(self) -> EventEnvelope:
        """Return the event envelope, without what only the delivery can know.

        Raises:
            MissingAudienceError: the event has no audience yet; inside a handler it goes to the asker by itself.
        """
        from wsproto_core.envelopes import EventEnvelope
        from wsproto_core.errors import MissingAudienceError

        audiences = target_of(self).audiences
        if not audiences:
            raise MissingAudienceError(f"{type(self).__name__} has no audience; say .to(room(…)) or .to(user(…)).")
        return EventEnvelope(
            event=self.event_name,
            recipient=audiences[0].kind,
            recipient_id=audiences[0].id,
            payload=self.model_dump(mode="json", by_alias=True),
        )


def _refuse_to_hide(cls: type[Event], fields: Iterable[str]) -> None:
    for field in fields:
        raise EventDefinitionError(
            f"{cls.__qualname__}.{field} would hide Event.{field}. Give the field another name and the payload its "
            f'own: {field}_: … = Field(alias="{field}").'
        )


def is_event(value: object) -> TypeIs[Event]:
    """Say whether something is an `Event`. Asking pydantic's metaclass with ``isinstance`` takes a microsecond."""
    return hasattr(type(value), "wsproto_target_")


def target_of(event: Event) -> Target:
    """Return to whom an event was addressed with ``.to(…)``; `NOWHERE` when it was not."""
    return event.wsproto_target_
