"""Which kinds of problems a client may be told: the protocol's own, and those of the application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from wsproto_core.asyncapi.mentions import problems_mentioned
from wsproto_core.problems import PROBLEM_TYPES, ProblemType
from wsproto_core.registry import Router
from wsproto_core.settings import Settings
from wsproto_core.specs import ActionSpec

__all__ = ["ProblemTypes"]

_TOPIC_HOOKS: Final = ("authorize", "on_subscribe", "on_unsubscribe")
_HOOKS: Final = ("authenticate", "authorize_subscribe", "on_connect")


class ProblemTypes:
    """The kinds of problems of an application.

    Args:
        registry: whose handlers tell them.
        settings: whose hooks do.
        actions: all that can be called.
    """

    def __init__(self, registry: Router, settings: Settings, actions: Mapping[str, ActionSpec]) -> None:
        self._of_action = {
            name: _unique([*spec.problems, *problems_mentioned(spec.function), *_named_by(spec.middlewares)])
            for name, spec in actions.items()
        }
        shared = [*registry.middlewares, *registry.exception_handlers.values()]
        self._shared = _named_by(shared)
        elsewhere = [getattr(settings, hook) for hook in _HOOKS]
        elsewhere += [vars(topic).get(hook) for topic in registry.topics.values() for hook in _TOPIC_HOOKS]
        elsewhere += [handler.function for handler in registry.event_handlers.values()]
        found = [*registry.problems, *self._shared, *_named_by(elsewhere)]
        found += [kind for kinds in self._of_action.values() for kind in kinds]
        self.own = tuple(sorted(_unique(found), key=lambda kind: (kind.code, kind.status, kind.slug)))
        """The application's own, in the order of their codes."""

    @property
    def all(self) -> tuple[ProblemType, ...]:
        """The protocol's own, then the application's."""
        return (*PROBLEM_TYPES.values(), *self.own)

    def of(self, action: str) -> list[ProblemType]:
        """Return the application's own kinds that an action may answer with."""
        mine = {_key(kind) for kind in (*self._of_action[action], *self._shared)}
        return [kind for kind in self.own if _key(kind) in mine]


def _named_by(functions: Iterable[Any]) -> list[ProblemType]:
    return [kind for function in functions if function is not None for kind in problems_mentioned(function)]


def _key(kind: ProblemType) -> tuple[str, int, str]:
    return kind.code, kind.status, kind.slug


def _unique(kinds: Iterable[ProblemType]) -> list[ProblemType]:
    """Return each kind once, of several that differ in their words only the one that says most."""
    best: dict[tuple[str, int, str], ProblemType] = {}
    for kind in kinds:
        if kind.code in PROBLEM_TYPES:
            continue
        known = best.get(_key(kind))
        if known is None:
            best[_key(kind)] = kind
        elif known.description is None and kind.description is not None:
            best[_key(kind)] = replace(kind, retryable=known.retryable or kind.retryable)
    return list(best.values())
