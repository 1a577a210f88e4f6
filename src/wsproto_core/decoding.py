"""A frame to a validated message, once, from the bytes (protocol sections 1 and 2).

The usual frame takes one pass: pydantic parses it and validates it as the typed envelope of its action, all actions
being one tagged union. Whatever that pass refuses is looked at again, slowly, to say exactly what is wrong; and a frame
that may hold a number that JSON does not have is checked before.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, Union
from urllib.parse import quote

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict

from wsproto_core.envelopes import UUID_PATTERN
from wsproto_core.ids import canonical_uuid
from wsproto_core.problems import MAX_DETAIL, Problem, shorten

if TYPE_CHECKING:
    from wsproto_core.registry import Router
    from wsproto_core.specs import ActionSpec

__all__ = ["Decoder", "Rejected", "json_pointer", "validation_errors"]

_MAX_ERRORS: Final = 20
_TOO_MANY_ERRORS: Final = 10_000
_MAX_ERRORS_BYTES: Final = 8_192
_MAX_POINTER: Final = 256

# A float overflows to Infinity with an exponent, or with more than 308 digits.
_LONG_FRAME: Final = 300
_DIGIT_RUN: Final = b"0" * _LONG_FRAME
_DIGITS_TO_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
# With digits, signs, white space and some letters taken out, a number with an exponent, NaN and Infinity are each one
# letter alone between two structural characters. Text may look so too, as in "a, e, i"; then the exact expression
# decides, which takes ten times as long.
_NUMBER_PARTS: Final = b"0123456789+-. \t\r\nNnfity"
_STRUCTURE: Final = bytes.maketrans(b",[]}EIa", b"::::eee")
_ODD_NUMBER: Final = re.compile(rb"[:,\[\s]-?(?:[0-9][0-9.]*[eE]|NaN|Infinity)")

# Types that are made at run time are beyond what a type checker can follow.
_UNION: Final[Any] = Union
_ANNOTATED: Final[Any] = Annotated
_TYPED_DICT: Final[Any] = TypedDict

_Id = Annotated[str, StringConstraints(pattern=UUID_PATTERN, to_lower=True)]


class Rejected(Exception):
    """A frame that is no message, or none that any action takes.

    Attributes:
        problem: what the client is told.
        req_id: the request that it answers, whenever it could be read.
    """

    def __init__(self, problem: Problem, req_id: str | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.req_id = req_id


class Decoder:
    """Turns JSON text into ``(action, msg_id, req_id, payload)``.

    Args:
        registry: where actions are looked up; later registrations are noticed.
        builtins: the protocol's own actions, at least two; the registry's come first.
        require_ids: whether ``msg_id`` and ``req_id`` must be there.
    """

    def __init__(self, registry: Router, builtins: Mapping[str, ActionSpec], *, require_ids: bool = True) -> None:
        self._registry = registry
        self._builtins = builtins
        self._require_ids = require_ids
        self._version = -1
        self._lock = threading.Lock()
        self._actions: dict[str, ActionSpec] = {}
        self._validate_any: Any = None
        self._one: dict[str, TypeAdapter[Any]] = {}

    @property
    def actions(self) -> Mapping[str, ActionSpec]:
        """Every action that can be called, the protocol's own included."""
        self.prepare()
        return self._actions

    def prepare(self) -> None:
        """Build the validators for the actions that are registered by now; the first message would do it too.

        Raises:
            Exception: whatever pydantic finds wrong with a payload type.
        """
        with self._lock:
            version = self._registry.version
            if version == self._version:
                return
            actions = {**self._builtins, **self._registry.actions}
            validate_any = _union_validator([self._envelope(spec, Literal[spec.name]) for spec in actions.values()])
            # In this order: another thread may be decoding, and what it validates it has to find.
            self._actions = actions
            self._validate_any = validate_any
            self._one = {}
            self._version = version

    def decode(self, raw: bytes) -> tuple[ActionSpec, str | None, str | None, Any]:
        """Return the action, the message's id, the request's id and the validated payload.

        Raises:
            Rejected: with the problem for the client.
        """
        if self._registry.version != self._version:
            self.prepare()
        # find() and not `in`, which takes three times as long on bytes.
        if raw.translate(_STRUCTURE, _NUMBER_PARTS).find(b":e:") >= 0 and _ODD_NUMBER.search(raw) is not None:
            _check_numbers(_parse(raw))
        if len(raw) > _LONG_FRAME and raw.translate(_DIGITS_TO_ZERO).find(_DIGIT_RUN) >= 0:
            _check_numbers(_parse(raw))
        try:
            message = self._validate_any(raw)
        except ValidationError as error:
            return self._look_again(raw, error)
        get = message.get
        return self._actions[message["action"]], get("msg_id"), get("req_id"), get("payload")

    def names_in(self, raw: bytes) -> tuple[str | None, str | None]:
        """Return the action's name and the request's id of a message whose decoding failed, as far as they can be read.

        That is for the log and for the answer when an exception of the application's own came out of `decode`.
        """
        try:
            document = _parse(raw)
        except Rejected:
            return None, None
        if not isinstance(document, dict):
            return None, None
        action = document.get("action")
        return action.strip() if isinstance(action, str) else None, canonical_uuid(document.get("req_id"))

    def _look_again(self, raw: bytes, refused: ValidationError) -> tuple[ActionSpec, str | None, str | None, Any]:
        document = _parse(raw)
        if not isinstance(document, dict):
            raise Rejected(_invalid("A message is one JSON object, with 'msg_id', 'req_id', 'action' and 'payload'."))
        req_id = canonical_uuid(document.get("req_id"))
        errors = self._envelope_errors(document)
        action = document.get("action")
        if not isinstance(action, str) or not action.strip():
            errors.append(_error("#/action", "Must be a non-blank string.", "string"))
            raise Rejected(_invalid_envelope(errors, self._require_ids), req_id)
        name = action.strip()
        spec = self._actions.get(name)
        if "payload" not in document and spec is not None and spec.payload_type is not None:
            errors.append(_error("#/payload", f"The action '{shorten(name, 64)}' takes a payload object.", "missing"))
        if errors:
            raise Rejected(_invalid_envelope(errors, self._require_ids), req_id)
        if spec is None:
            detail = f"No WebSocket action is registered under '{shorten(name, 64)}'."
            raise Rejected(Problem(detail, code="unknown_websocket_action"), req_id)
        # The envelope is one and the action is known, so it was the payload; its errors begin with the member of the
        # union, the action's name. Only a name with white space around it was not found there.
        skip = 1
        if action != name:
            try:
                payload = self._validator_of(spec).validate_json(raw).get("payload")
            except ValidationError as error:
                refused, skip = error, 0
            else:
                return spec, canonical_uuid(document.get("msg_id")), req_id, payload
        errors = validation_errors(refused, document, skip=skip)
        raise Rejected(_invalid_payload(errors, refused.error_count(), name), req_id) from None

    def _envelope_errors(self, document: Mapping[str, Any]) -> list[dict[str, str]]:
        errors = []
        for member in ("msg_id", "req_id"):
            if member not in document:
                if self._require_ids:
                    errors.append(_error(f"#/{member}", "Must be there: a UUID of 36 characters.", "missing"))
            elif canonical_uuid(document[member]) is None:
                errors.append(_error(f"#/{member}", "Must be a UUID of 36 characters.", "uuid"))
        if "payload" in document and not isinstance(document["payload"], dict):
            errors.append(_error("#/payload", "Must be an object.", "object"))
        return errors

    def _validator_of(self, spec: ActionSpec) -> TypeAdapter[Any]:
        validator = self._one.get(spec.name)
        if validator is None:
            validator = self._one[spec.name] = TypeAdapter(self._envelope(spec, str))
        return validator

    def _envelope(self, spec: ActionSpec, action: Any) -> Any:
        message_id: Any = _Id if self._require_ids else NotRequired[_Id]
        payload: Any = NotRequired[dict[str, Any]] if spec.payload_type is None else spec.payload_type
        return _TYPED_DICT(
            "Envelope", {"msg_id": message_id, "req_id": message_id, "action": action, "payload": payload}
        )


def validation_errors(error: ValidationError, document: object, *, skip: int = 0) -> list[dict[str, str]]:
    """Return pydantic's errors as the ``errors`` member of a problem: pointer, detail, code.

    At most twenty, and at most eight kilobytes; the first one always.

    Args:
        error: what pydantic found.
        document: in which it did.
        skip: how many steps of its locations are above the document.
    """
    if error.error_count() > _TOO_MANY_ERRORS:
        # pydantic has no way to show only some of them, and to show a million takes it seconds.
        return [_error("#/payload", "There are too many errors to list them", "too_many_errors")]
    shown: list[dict[str, str]] = []
    size = 0
    for each in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]:
        pointer = json_pointer(each["loc"][skip:], document, missing=each["type"].startswith("missing"))
        made = _error(pointer, shorten(each["msg"], MAX_DETAIL), each["type"])
        size += len(to_json(made))
        if shown and size > _MAX_ERRORS_BYTES:
            break
        shown.append(made)
    return shown


def json_pointer(loc: tuple[int | str, ...], document: object, *, missing: bool = False) -> str:
    """Return where an error is as a JSON Pointer in URI fragment form (RFC 6901 section 6).

    pydantic's location also names members of unions and validators, which are nowhere in the document: they are left
    out. A pointer that would be very long ends where it is still true.

    Args:
        loc: where pydantic says that the error is.
        document: that it is in.
        missing: whether the last step names a member that should be there, and is not.
    """
    pointer = "#"
    current = document
    for position, step in enumerate(loc):
        found, current = _step_into(current, step)
        if not found and not (missing and position == len(loc) - 1 and isinstance(current, dict)):
            continue
        level = quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@")
        if len(pointer) + 1 + len(level) > _MAX_POINTER:
            break
        pointer = f"{pointer}/{level}"
    return pointer


def _step_into(current: Any, step: int | str) -> tuple[bool, Any]:
    """Go down one level; say whether there was one."""
    if isinstance(current, dict) and isinstance(step, str) and step in current:
        return True, current[step]
    if isinstance(current, list) and isinstance(step, int) and 0 <= step < len(current):
        return True, current[step]
    return False, current


def _union_validator(envelopes: list[Any]) -> Any:
    tagged = _ANNOTATED[_UNION[tuple(envelopes)], Field(discriminator="action")]
    return TypeAdapter(tagged).validator.validate_json


def _parse(raw: bytes) -> Any:
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Rejected(_invalid(f"The message is not valid JSON (RFC 8259): {error}.")) from None


def _check_numbers(document: object) -> None:
    """Refuse a number that overflows to Infinity, wherever it stands (protocol section 1)."""
    stack = [document]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
        elif isinstance(each, (int, float)) and _overflows(each):
            req_id = canonical_uuid(document.get("req_id")) if isinstance(document, dict) else None
            raise Rejected(_invalid("The message holds a number that is too large for a 64-bit float."), req_id)


def _overflows(number: float) -> bool:
    try:
        return not math.isfinite(number)
    except OverflowError:
        return True


def _error(pointer: str, detail: str, code: str) -> dict[str, str]:
    return {"pointer": pointer, "detail": detail, "code": code}


def _invalid(detail: str, **extensions: Any) -> Problem:
    return Problem(detail, code="invalid_websocket_message", **extensions)


def _invalid_envelope(errors: list[dict[str, str]], require_ids: bool) -> Problem:
    ids = "valid UUID 'msg_id' and 'req_id', " if require_ids else ""
    detail = f"A message must contain {ids}a non-blank 'action' string, and an object 'payload'."
    return _invalid(detail, errors=errors)


def _invalid_payload(errors: list[dict[str, str]], count: int, name: str) -> Problem:
    first = errors[0]
    more = f" There are {count} errors in all." if count > 1 else ""
    detail = f"The payload of '{shorten(name, 64)}' is not valid: {first['pointer']}: {first['detail']}.{more}"
    return Problem(shorten(detail, MAX_DETAIL), code="invalid_payload", errors=errors)
