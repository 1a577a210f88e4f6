"""A value that fits a schema, where it takes no guessing: for the examples of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Samples"]

_DEPTH: Final = 6
_STEPS: Final = 500  # a value of more parts is no example for anybody
_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1M",
    "email": "ada@example.com",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
}


class _Unknown(Exception):
    """No value is known to fit."""


class Samples:
    """Makes values for schemas.

    Args:
        definitions: that they refer to.
    """

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._steps = 0

    def of(self, schema: Mapping[str, Any]) -> list[Any]:
        """Return the examples that a schema has itself, else one that is made of its parts, else none."""
        given = self._resolved(schema).get("examples")
        if isinstance(given, list) and given:
            return given
        self._steps = _STEPS
        try:
            return [self._make(schema, _DEPTH)]
        except _Unknown:
            return []

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        seen = 0
        while "$ref" in schema and seen < _DEPTH:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
            seen += 1
        return schema

    def _make(self, schema: Any, depth: int, *, optional: bool = False) -> Any:
        self._steps -= 1
        if not isinstance(schema, Mapping) or depth < 0 or self._steps < 0:
            raise _Unknown
        schema = self._resolved(schema)
        for keyword in ("examples", "enum"):
            if schema.get(keyword):
                return schema[keyword][0]
        if "const" in schema:
            return schema["const"]
        if "default" in schema:
            if schema["default"] is not None or self._lets_null_in(schema, depth):
                return schema["default"]
            # As in `note: str = None`: the default counts where the member is left out, but it cannot be sent.
            if optional:
                raise _Unknown
        choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        choices += schema["allOf"] if len(schema.get("allOf", ())) == 1 else ()
        for each in choices:
            try:
                return self._make(each, depth - 1)
            except _Unknown:
                continue
        return self._of_type(schema, depth)

    def _lets_null_in(self, schema: Any, depth: int) -> bool:
        if not isinstance(schema, Mapping) or depth < 0:
            return schema is True
        schema = self._resolved(schema)
        kinds = schema.get("type", "null")
        choices = [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]
        return (
            "null" in ([kinds] if isinstance(kinds, str) else kinds)
            and schema.get("const") is None
            and None in schema.get("enum", (None,))
            and all(self._lets_null_in(each, depth - 1) for each in schema.get("allOf", ()))
            and all(any(self._lets_null_in(each, depth - 1) for each in some) for some in choices)
        )

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return _string(schema)
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                raise _Unknown

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if {"minProperties", "patternProperties", "propertyNames"} & schema.keys():
            raise _Unknown
        made: dict[str, Any] = {}
        required = schema.get("required", ())
        for name, each in schema.get("properties", {}).items():
            try:
                made[name] = self._make(each, depth - 1, optional=name not in required)
            except _Unknown:
                if name in required:
                    raise
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        items = schema.get("items", {})
        if isinstance(items, list):
            return [self._make(each, depth - 1) for each in items]
        least: int = schema.get("minItems", 0)
        if schema.get("uniqueItems") and least > 1:
            raise _Unknown
        try:
            return [self._make(items, depth - 1)] * max(least, min(1, schema.get("maxItems", 1)))
        except _Unknown:
            if least:
                raise
            return []


def _string(schema: Mapping[str, Any]) -> str:
    if "pattern" in schema:
        raise _Unknown
    if "format" in schema:
        if schema["format"] not in _FORMATS or {"minLength", "maxLength"} & schema.keys():
            raise _Unknown
        return _FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    if least > 100:
        raise _Unknown
    return "text".ljust(least, "…")[:most]


def _number(schema: Mapping[str, Any]) -> int | float:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = schema.get("multipleOf", 1)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    made: int | float = 1
    if low is not None:
        made = low
    elif above is not None:
        made = above + step
    elif high is not None:
        made = min(made, high)
    elif below is not None:
        made = min(made, below - step)
    fits = (
        (high is None or made <= high)
        and (below is None or made < below)
        and (above is None or made > above)
        and not made % step
    )
    if not fits:
        raise _Unknown
    return made
