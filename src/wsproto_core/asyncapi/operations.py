"""The operations of the document: what the server receives, with what it answers, and what it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wsproto_core.asyncapi.channels import Channels
from wsproto_core.asyncapi.messages import action_key, event_key, problem_key
from wsproto_core.asyncapi.names import reference
from wsproto_core.asyncapi.problem_types import ProblemTypes
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.events import Event
from wsproto_core.problems import PROBLEM_TYPES
from wsproto_core.settings import Settings
from wsproto_core.specs import ActionSpec

__all__ = ["Operations"]

_ALWAYS: Final = (
    "invalid_websocket_message",
    "conflict",
    "message_too_large",
    "cancelled",
    "internal_error",
    "unavailable",
)


class Operations:
    """Makes the operations.

    Args:
        channels: all channels.
        actions: by name, in the order of the document.
        events: the classes of each event name, likewise.
        problems: the kinds of problems of the application.
        settings: of the hub.
        schemes: all security schemes, by name.
    """

    def __init__(
        self,
        channels: Channels,
        actions: Mapping[str, ActionSpec],
        events: Mapping[str, Sequence[type[Event]]],
        problems: ProblemTypes,
        settings: Settings,
        schemes: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._problems = problems
        self._settings = settings
        self._events = events
        self._own_events = [name for name, classes in events.items() if not _is_own(classes)]
        self._security = [reference("components", "securitySchemes", name) for name in schemes]
        self.by_key: dict[str, dict[str, Any]] = {}
        """All operations by their identifier."""
        for number, channel in enumerate(channels.sockets):
            prefix = f"{channel}." if number else ""
            self.by_key |= {prefix + action_key(name): self._receive(channel, spec) for name, spec in actions.items()}
            self.by_key |= {prefix + event_key(name): self._send(channel, name) for name in events}
        for channel, (topic, first_events) in channels.topics.items():
            if first_events:
                keys = [event_key(event.event_name) for event in first_events]
                self.by_key[channel] = {
                    "action": "send",
                    "channel": reference("channels", channel),
                    "title": topic.__name__,
                    "summary": "What a subscriber begins with",
                    "messages": [reference("channels", channel, "messages", key) for key in keys],
                }

    def _receive(self, channel: str, spec: ActionSpec) -> dict[str, Any]:
        answers = [event_key(name) for name in self._answers(spec)]
        answers += [problem_key(kind, self._problems.all) for kind in self._refusals(spec)]
        operation: dict[str, Any] = {
            "action": "receive",
            "channel": reference("channels", channel),
            "title": spec.name,
            "messages": [reference("channels", channel, "messages", action_key(spec.name))],
            "reply": {
                "channel": reference("channels", channel),
                "messages": [reference("channels", channel, "messages", key) for key in answers],
            },
            "x-wsproto-action": spec.name,
        }
        if spec.summary:
            operation["summary"] = spec.summary
        if spec.description:
            operation["description"] = spec.description
        if spec.tags:
            operation["tags"] = [{"name": tag} for tag in spec.tags]
        if self._security and spec.name != "health":
            operation["security"] = self._security
        if spec.deprecated:
            operation["x-deprecated"] = True
        if BUILTIN_ACTIONS.get(spec.name) is spec:
            operation["x-wsproto-builtin"] = True
        if spec.requires is not None and not callable(spec.requires):
            operation["x-wsproto-requires"] = list(spec.requires)
        return operation

    def _send(self, channel: str, name: str) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "action": "send",
            "channel": reference("channels", channel),
            "title": name,
            "messages": [reference("channels", channel, "messages", event_key(name))],
            "x-wsproto-event": name,
        }
        if name not in self._own_events:
            operation["x-wsproto-builtin"] = True
        return operation

    def _answers(self, spec: ActionSpec) -> list[str]:
        """Return the names of the events that an action answers with; where all it says is `Event`, it may be any."""
        names = [event.event_name for event in spec.replies if event is not Event]
        if Event in spec.replies:
            names += self._own_events
        return list(dict.fromkeys((*names, "ws.complete")))

    def _refusals(self, spec: ActionSpec) -> list[Any]:
        """Return the kinds of problems that an action may end with."""
        codes: set[str] = set(_ALWAYS)
        if spec.payload_type is not None:
            codes.add("invalid_payload")
        # Only who has not authenticated yet can be told so: others were refused at the handshake.
        if self._settings.authenticate is not None and spec.name != "health":
            codes.add("unauthenticated")
        if spec.requires is not None or spec.name in {"ws.subscribe", "ws.authenticate"}:
            codes |= {"forbidden", "unauthenticated"}
        if self._settings.limits.rate is not None or spec.name == "ws.subscribe":
            codes.add("rate_limited")
        if spec.timeout != float("inf") and (spec.timeout or self._settings.limits.action_timeout) is not None:
            codes.add("action_timeout")
        return [*(kind for code, kind in PROBLEM_TYPES.items() if code in codes), *self._problems.of(spec.name)]


def _is_own(classes: Sequence[type[Event]]) -> bool:
    """Say whether an event is the protocol's own."""
    return all(cls.__module__.partition(".")[0] == "wsproto_core" for cls in classes)
