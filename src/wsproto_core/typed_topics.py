"""Typed topics: a class that is the authorisation, the initial state and the audience of its topics at once."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from wsproto_core.errors import InvalidTopicError, TopicDefinitionError
from wsproto_core.filters import FilterTrie
from wsproto_core.recipients import Audience, topic
from wsproto_core.registry import Router, registry_or_default
from wsproto_core.topics import check_topic, escape_level, has_wildcards, name_text, unescape_level

if TYPE_CHECKING:
    from wsproto_core.context import ActionContext

__all__ = ["Topic", "TopicTable"]

_FIELD: Final = "+"


class Topic(BaseModel):
    """Base of typed topics. Its fields are levels of its name.

    ::

        class Discussion(Topic, pattern="discussion/{pk}"):
            pk: int

            async def authorize(self, context: ActionContext) -> bool:
                return await may_read(context.user_id, self.pk)

        Said(text="hi").to(Discussion(pk=3))        # an audience
        await context.subscribe(Discussion(pk=3))   # a subscription

    Clients may subscribe to ``discussion/3`` when `authorize` says so; a class that has none of its own is for the
    server's code alone.

    Class keywords:
        pattern: the levels of its name; a field in braces is one whole level.
        register: False keeps a base class out of the registry.
        registry: where it is registered, instead of the default registry.
        replace: True replaces a typed topic of the same pattern on purpose.

    Raises:
        TopicDefinitionError: the pattern and the fields do not belong together, or it is no topic.
        DuplicateNameError: another class has the same pattern.
        InvalidTopicError: when an instance is used: its fields make no topic name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic_pattern: ClassVar[str]
    topic_levels: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **_: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        pattern: str | None = None,
        register: bool = True,
        registry: Router | None = None,
        replace: bool = False,
        **_: Any,
    ) -> None:
        if pattern is None:
            if not register or hasattr(cls, "topic_pattern"):
                return
            raise TopicDefinitionError(f"{cls.__name__} needs a pattern, as in pattern='discussion/{{pk}}'.")
        cls.topic_pattern = pattern
        cls.topic_levels = _levels_of(cls, pattern)
        if register:
            registry_or_default(registry).add_topic(cls.topic_shape(), cls, replace=replace)

    def authorize(self, context: ActionContext[Any]) -> bool | Awaitable[bool]:
        """Say whether a connection may subscribe; asked again when its user or scopes change.

        This and the other hooks may be plain functions, which run in a worker thread as handlers do, or async ones.

        Args:
            context: of the connection.
        """
        return False

    def on_subscribe(self, context: ActionContext[Any]) -> Any:
        """Give the events that a new subscriber begins with, in any form that a handler may have."""
        return None

    def on_unsubscribe(self, context: ActionContext[Any]) -> Any:
        """Run once for each subscription when it ends, also by the end of the connection; it may give events."""
        return None

    @classmethod
    def topic_shape(cls) -> str:
        """Return the filter that its topics match: its pattern, with ``+`` for each field."""
        return "/".join(_FIELD if name in cls.model_fields else literal for name, literal in _pairs(cls.topic_levels))

    @classmethod
    def from_topic_name(cls, name: str) -> Self | None:
        """Return the typed topic of a name, or None when the name is not its one canonical form."""
        values: dict[str, str] = {}
        levels = name.split("/")
        if len(levels) != len(cls.topic_levels):
            return None
        for (field, literal), level in zip(_pairs(cls.topic_levels), levels, strict=True):
            if field in cls.model_fields:
                values[field] = unescape_level(level)
            elif level != literal:
                return None
        try:
            found = cls.model_validate_strings(values)
            # 3 and 03 are one number, and would be two topics.
            return found if found.topic_name == name else None
        except (ValidationError, InvalidTopicError):
            return None

    @property
    def topic_name(self) -> str:
        """The name of this topic."""
        values = self.model_dump(mode="json")
        return "/".join(
            escape_level(name_text(values[field], f"The level {field!r} of a {type(self).__name__}"))
            if field in values
            else literal
            for field, literal in _pairs(self.topic_levels)
        )

    @classmethod
    def has_authorize(cls) -> bool:
        """Say whether the class, or a base of it, brings an `authorize` of its own."""
        return cls.authorize is not Topic.authorize

    def as_audience(self) -> Audience:
        """Return the audience of everybody who subscribed to this topic."""
        return topic(self.topic_name)


class TopicTable:
    """Finds the typed topic of a name. Made anew when the registry has changed.

    Args:
        registry: that the typed topics are in.
    """

    def __init__(self, registry: Router) -> None:
        self._registry = registry
        self._version = -1
        self._shapes: FilterTrie[type[Topic]] = FilterTrie()

    def find(self, name: str) -> Topic | None:
        """Return the typed topic of a name; of several that fit, the one with the most exact pattern."""
        if self._version != self._registry.version:
            self._version = self._registry.version
            self._shapes = FilterTrie()
            for shape, cls in self._registry.topics.items():
                self._shapes[shape] = cls
        for cls in self._shapes.match(name):
            found = cls.from_topic_name(name)
            if found is not None:
                return found
        return None


def _levels_of(cls: type[Topic], pattern: str) -> tuple[str, ...]:
    """Return the levels of a pattern, each a literal or a field in braces, once they have been checked."""
    levels = tuple(pattern.split("/")) if isinstance(pattern, str) else ()
    fields = [field for field, _ in _pairs(levels) if field]
    for field in fields:
        if field not in cls.model_fields:
            raise TopicDefinitionError(f"{cls.__name__}: the pattern {pattern!r} names {field!r}, which is no field.")
    left_over = [field for field in cls.model_fields if field not in fields]
    if left_over or len(set(fields)) < len(fields):
        wrong = f"the field {left_over[0]!r} is not in" if left_over else "a field is twice in"
        raise TopicDefinitionError(f"{cls.__name__}: {wrong} the pattern {pattern!r}; a topic is its name, no more.")
    literals = "/".join("x" if field else literal for field, literal in _pairs(levels))
    if not levels or "{" in literals or "}" in literals or has_wildcards(literals):
        raise TopicDefinitionError(
            f"{cls.__name__}: the pattern {pattern!r} is made of whole levels, as in 'discussion/{{pk}}'."
        )
    try:
        check_topic(literals)
    except InvalidTopicError as error:
        raise TopicDefinitionError(f"{cls.__name__}: the pattern {pattern!r} is none: {error}") from error
    return levels


def _pairs(levels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the name of the field, or an empty text, beside each level of a pattern."""
    return [(each[1:-1] if each.startswith("{") and each.endswith("}") else "", each) for each in levels]
