"""The messages of the document: the whole envelopes of actions, events and problems (protocol sections 2 to 4)."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, Field

from wsproto_core.asyncapi.names import identifier
from wsproto_core.asyncapi.samples import Samples
from wsproto_core.asyncapi.schemas import Schemas, clean
from wsproto_core.envelopes import UUID_PATTERN
from wsproto_core.events import Event
from wsproto_core.problems import HTTP_PHRASES, MAX_DETAIL, ProblemType, problem_type_uri
from wsproto_core.specs import ActionSpec

__all__ = ["PROTOCOL_EVENTS", "Messages", "action_key", "event_key", "problem_key"]

MESSAGE_ID: Final = "2f4b1b76-6ad6-4a5f-9d3e-0c7d5c3a9b10"
REQUEST_ID: Final = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_UUID: Final = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}
_CORRELATION: Final = {
    "description": "The request that the client named; it comes back on all that the request causes.",
    "location": "$message.payload#/req_id",
}
_ERRORS: Final = {
    "type": "array",
    "description": "What is wrong where.",
    "items": {
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "A JSON Pointer as a URI fragment, as in `#/payload/room`."},
            "detail": {"type": "string"},
            "code": {"type": "string"},
        },
        "required": ["pointer", "detail", "code"],
    },
}


class Ready(Event, register=False):
    """The first event of a connection that opted in with a subprotocol."""

    event_name = "ws.ready"
    connection_id: str
    user_id: int | str | None
    ping_interval: float | None = Field(description="Seconds of silence after which to send `health`.")
    max_message_bytes: int | None
    expires_at: float | None = Field(default=None, description="When the credential ends, in seconds since the epoch.")


class Complete(Event, register=False):
    """The end of a request that went well, for those who opted in with a subprotocol."""

    event_name = "ws.complete"
    events: int = Field(description="How many events of the request were queued for this connection.")


class Drain(Event, register=False):
    """The server goes away soon; connect again after so many seconds."""

    event_name = "ws.drain"
    retry_after: float


class Gap(Event, register=False):
    """Events of a topic may have been missed; ask anew for what you show of it."""

    event_name = "ws.gap"
    topic: str


PROTOCOL_EVENTS: Final = (Ready, Complete, Drain, Gap)
"""What the server says of its own accord to who opted in with a subprotocol (protocol section 5)."""


def action_key(name: str) -> str:
    """Return the identifier of an action: of its message and of its operation."""
    return identifier("action", name)


def event_key(name: str) -> str:
    """Return the identifier of an event."""
    return identifier("event", name)


def problem_key(kind: ProblemType, others: Iterable[ProblemType]) -> str:
    """Return the identifier of a kind of problem; those of one code are told apart by what else they differ in."""
    same = [other for other in others if other.code == kind.code]
    if len(same) == 1:
        return identifier("problem", kind.code)
    return identifier("problem", kind.code, str(kind.status), kind.slug)


class Messages:
    """Makes the messages, and the schemas that they share.

    Args:
        actions: by name, in the order of the document.
        events: the classes of each event name, likewise.
        problems: likewise.
        require_ids: whether clients must send ``msg_id`` and ``req_id``.
        base_url: what problem type URLs begin with.
    """

    def __init__(
        self,
        actions: Mapping[str, ActionSpec],
        events: Mapping[str, Sequence[type[Event]]],
        problems: Sequence[ProblemType],
        *,
        require_ids: bool,
        base_url: str | None,
    ) -> None:
        self._require_ids = require_ids
        self._base_url = base_url
        schemas = Schemas()
        for name, spec in actions.items():
            if spec.payload_type is not None:
                schemas.add(name, spec.payload_type, "in")
        for name, classes in events.items():
            schemas.add(name, functools.reduce(operator.or_, classes), "out")
        self._schemas, self.definitions = schemas.make()
        self._samples = Samples(self.definitions)
        self.by_key: dict[str, dict[str, Any]] = {}
        """All messages by their identifier."""
        self.by_key |= {action_key(name): self._action(spec) for name, spec in actions.items()}
        self.by_key |= {event_key(name): self._event(name, classes) for name, classes in events.items()}
        self.by_key |= {problem_key(kind, problems): self._problem(kind) for kind in problems}

    def _action(self, spec: ActionSpec) -> dict[str, Any]:
        takes = self._schemas.get((spec.name, "in"))
        properties = {
            "msg_id": {**_UUID, "description": "Names this message."},
            "req_id": {**_UUID, "description": "Names your request; it comes back on all that the request causes."},
            "action": {"type": "string", "const": spec.name},
            "payload": takes if takes is not None else {"type": "object", "description": "It takes none."},
        }
        required = [
            *(("msg_id", "req_id") if self._require_ids else ()),
            "action",
            *(("payload",) if takes is not None else ()),
        ]
        envelope = {"msg_id": MESSAGE_ID, "req_id": REQUEST_ID, "action": spec.name}
        if spec.examples:
            examples = [
                _without_none(
                    {"name": each.name, "summary": each.summary, "payload": {**envelope, "payload": each.payload}}
                )
                for each in spec.examples
                if clean(each.payload, None) is not None
            ]
        elif takes is None:
            examples = [{"payload": envelope}]
        else:
            examples = [{"payload": {**envelope, "payload": each}} for each in self._samples.of(takes)]
        return _message(
            name=spec.name,
            summary=spec.summary,
            description=spec.description,
            tags=spec.tags,
            payload={"type": "object", "properties": properties, "required": required},
            examples=examples,
        )

    def _event(self, name: str, classes: Sequence[type[Event]]) -> dict[str, Any]:
        says = self._schemas[name, "out"]
        properties = {
            "msg_id": {**_UUID, "description": "Names this event: the same for all who get it."},
            "req_id": {**_UUID, "description": "The request that caused it, for the connection that asked."},
            "seq": {"type": "integer", "minimum": 1, "description": "Counts the events of this connection."},
            "event": {"type": "string", "const": name},
            "recipient": {
                "type": "string",
                "description": "The kind of audience: `websocket`, `user`, `room`, `topic`.",
            },
            "recipient_id": {"type": "string", "description": "Which one of the kind."},
            "payload": says,
        }
        envelope = {
            "msg_id": MESSAGE_ID,
            "req_id": REQUEST_ID,
            "seq": 1,
            "event": name,
            "recipient": "websocket",
            "recipient_id": "c1",
        }
        summary, description = _docstring(classes)
        return _message(
            name=name,
            summary=summary,
            description=description,
            tags=(),
            payload={
                "type": "object",
                "properties": properties,
                "required": ["msg_id", "seq", "event", "recipient", "recipient_id", "payload"],
            },
            examples=[{"payload": {**envelope, "payload": each}} for each in self._samples.of(says)],
        )

    def _problem(self, kind: ProblemType) -> dict[str, Any]:
        type_uri = problem_type_uri(self._base_url, kind.slug)
        title = HTTP_PHRASES.get(kind.status, "Error") if type_uri == "about:blank" else kind.title
        properties: dict[str, Any] = {
            "msg_id": {**_UUID, "description": "Names this message."},
            "req_id": {**_UUID, "description": "The request that it answers, whenever that could be read."},
            "type": {"type": "string", "const": type_uri},
            "title": {"type": "string", "examples": [title]},
            "status": {"type": "integer", "const": kind.status},
            "detail": {
                "type": "string",
                "maxLength": MAX_DETAIL,
                "description": "What is wrong this time, for people.",
            },
            "instance": {"type": "string", "description": "The path of the connection."},
            "code": {"type": "string", "const": kind.code},
            "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
        }
        if kind.code in {"invalid_payload", "invalid_websocket_message"}:
            properties["errors"] = _ERRORS
        if kind.code == "rate_limited":
            properties["retry_after"] = {"type": "number", "description": "Seconds to wait."}
        example = {
            "msg_id": MESSAGE_ID,
            "req_id": REQUEST_ID,
            "type": type_uri,
            "title": title,
            "status": kind.status,
            "code": kind.code,
            "retryable": kind.retryable,
        }
        made = _message(
            name=kind.code,
            title=kind.title,
            summary=f"{kind.status} {kind.title}",
            description=kind.description,
            tags=(),
            payload={
                "type": "object",
                "properties": properties,
                "required": ["msg_id", "type", "title", "status", "code", "retryable"],
            },
            examples=[{"payload": example}],
        )
        more = {"status": kind.status, "slug": kind.slug, "code": kind.code, "retryable": kind.retryable}
        return {**made, **{f"x-wsproto-{name}": value for name, value in more.items()}}


def _message(
    *,
    name: str,
    summary: str | None,
    description: str | None,
    tags: Iterable[str],
    payload: dict[str, Any],
    examples: list[dict[str, Any]],
    title: str | None = None,
) -> dict[str, Any]:
    return _without_none(
        {
            "name": name,
            "title": title or name,
            "summary": summary,
            "description": description,
            "contentType": "application/json",
            "payload": payload,
            "correlationId": dict(_CORRELATION),
            "tags": [{"name": tag} for tag in tags] or None,
            "examples": examples or None,
        }
    )


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def _docstring(classes: Sequence[type[BaseModel]]) -> tuple[str | None, str | None]:
    for cls in classes:
        # Not what it inherits: that would be ours, about events.
        text = cls.__dict__.get("__doc__")
        if text:
            first_line, _, rest = text.strip().partition("\n")
            return first_line.strip(), "\n".join(line.strip() for line in rest.strip().splitlines()) or None
    return None, None
