"""Events and problems to JSON text: serialised once, with what belongs to one receiver spliced in.

JSON is RFC 8259 outwards too: an event with NaN, an Infinity or a lone surrogate is refused, not sent as null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json

from wsproto_core.errors import UnserializableEventError
from wsproto_core.events import Event
from wsproto_core.recipients import Audience

__all__ = [
    "EncodedEvent",
    "encode_event",
    "encode_json",
    "encode_payload",
    "event_text",
    "json_text",
    "recipient_members",
]

# Core schema types whose values are never a float. Whatever is not listed is looked at in the output.
_FINITE_TYPES: Final = frozenset(
    {
        "bool", "date", "datetime", "default", "definition-ref", "definitions", "dict", "frozenset", "int", "list",
        "literal", "model", "model-field", "model-fields", "none", "nullable", "set", "str", "time", "tuple",
        "typed-dict", "typed-dict-field", "union", "url", "uuid",
    }
)  # fmt: skip

_forms: dict[type[Event], _Form] = {}


class _Form:
    """What there is to know of an event class to write its events, asked once.

    Attributes:
        to_json: pydantic's serialiser of the class.
        finite: whether its fields can hold no float at all.
    """

    __slots__ = ("finite", "to_json")

    def __init__(self, cls: type[Event]) -> None:
        self.to_json = cls.__pydantic_serializer__.to_json
        self.finite = _only_finite_types(cls.__pydantic_core_schema__)


class EncodedEvent:
    """One event, serialised once for all its receivers.

    Attributes:
        msg_id: names the event, the same for every receiver.
        name: the event's name.
        payload: the JSON text of its payload.
        key: what the ``conflate`` policy of a slow consumer keeps the newest of.
    """

    __slots__ = ("_tail", "key", "msg_id", "name", "payload")

    def __init__(self, msg_id: str, name: str, payload: str, key: str | None = None) -> None:
        self.key = key
        self.msg_id = msg_id
        self.name = name
        self.payload = payload
        # What follows the number is the same for all whom one audience reaches. A pair, so that threads may share it.
        self._tail: tuple[str | None, str] = (None, "")

    def text(self, seq: int, recipient: str, req_id: str | None = None) -> str:
        """Return the JSON text for one receiver (protocol section 3).

        Args:
            seq: the number of this event on the receiving connection.
            recipient: the members that `recipient_members` made.
            req_id: the request that it answers, for the connection that asked.
        """
        if req_id is not None:
            return event_text(self.msg_id, json_text(self.name), self.payload, seq, recipient, req_id)
        tail = self._tail
        if tail[0] is not recipient:
            text = f',"event":{json_text(self.name)},{recipient},"payload":{self.payload}}}'
            tail = self._tail = (recipient, text)
        return f'{{"msg_id":"{self.msg_id}","seq":{seq}{tail[1]}'


def event_text(msg_id: str, name: str, payload: str, seq: int, recipient: str, req_id: str | None) -> str:
    """Return the JSON text of an event envelope; its name and its recipient are JSON text already."""
    request = "" if req_id is None else f'"req_id":"{req_id}",'
    return f'{{"msg_id":"{msg_id}",{request}"seq":{seq},"event":{name},{recipient},"payload":{payload}}}'


def encode_event(event: Event, msg_id: str, key: str | None = None) -> EncodedEvent:
    """Serialise an event; see `EncodedEvent`.

    Raises:
        UnserializableEventError: it holds what JSON cannot carry.
    """
    return EncodedEvent(msg_id, event.event_name, encode_payload(event), key)


def recipient_members(audience: Audience) -> str:
    """Return the members ``recipient`` and ``recipient_id`` as JSON text, without braces."""
    return f'"recipient":{json_text(audience.kind)},"recipient_id":{json_text(audience.id)}'


def encode_payload(event: Event) -> str:
    """Return the JSON text of an event's fields, by alias.

    Raises:
        UnserializableEventError: it holds what JSON cannot carry.
    """
    cls = type(event)
    form = _forms.get(cls) or _forms.setdefault(cls, _Form(cls))
    try:
        text = form.to_json(event, by_alias=True).decode()
    except (PydanticSerializationError, ValueError) as error:
        raise UnserializableEventError(f"{cls.__name__} cannot be written as JSON: {error}") from error
    # A model that was made without validation may hold anything.
    if not form.finite or "NaN" in text or "Infinity" in text:
        _check_finite(text, event, cls.__name__)
    return text


def encode_json(value: Mapping[str, Any], what: str) -> str:
    """Return the JSON text of an object.

    Args:
        value: the object.
        what: how an error message calls it.

    Raises:
        UnserializableEventError: it holds what JSON cannot carry.
    """
    try:
        text = to_json(value, inf_nan_mode="constants").decode()
    except (PydanticSerializationError, ValueError) as error:
        raise UnserializableEventError(f"{what} cannot be written as JSON: {error}") from error
    _check_finite(text, value, what)
    return text


@lru_cache(maxsize=1024)
def json_text(value: str) -> str:
    """Return a string as JSON text, quotes included."""
    return to_json(value).decode()


def _check_finite(text: str, value: object, what: str) -> None:
    if "NaN" in text or "Infinity" in text:
        # Within a string those are only words; the strict parser knows.
        try:
            from_json(text, allow_inf_nan=False)
        except ValueError:
            raise UnserializableEventError(f"{what} holds NaN or Infinity, which JSON cannot carry.") from None
    # A model inside may have turned its own into null on the way.
    if "null" in text and _holds_non_finite(value):
        raise UnserializableEventError(f"{what} holds NaN or Infinity, which JSON cannot carry.")


def _holds_non_finite(value: object) -> bool:
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, float):
            if not math.isfinite(each):
                return True
        elif isinstance(each, BaseModel):
            stack.append(each.model_dump())
        elif isinstance(each, Mapping):
            stack.extend(each.values())
        elif is_dataclass(each) and not isinstance(each, type):
            stack.extend(getattr(each, member.name) for member in fields(each))
        elif isinstance(each, (list, tuple, set, frozenset)):
            stack.extend(each)
    return False


def _only_finite_types(schema: object) -> bool:
    stack: list[Any] = [schema]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            kind = each.get("type")
            is_schema = isinstance(kind, str)  # what is none holds the schemas of fields by their names
            if is_schema and kind not in _FINITE_TYPES:
                return False
            config = each.get("config")
            extra = config.get("extra_fields_behavior") if isinstance(config, dict) else each.get("extra_behavior")
            if extra == "allow" or "serialization" in each:
                return False
            stack.extend(value for key, value in each.items() if not is_schema or key not in {"metadata", "default"})
        elif isinstance(each, (list, tuple)):
            stack.extend(each)
    return True
