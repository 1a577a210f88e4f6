"""JSON Schemas of everything that travels, made by pydantic in one go, in the dialect of AsyncAPI (draft-07)."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["REF_TEMPLATE", "Schemas", "clean", "draft_07"]

log = logging.getLogger("wsproto_core.asyncapi")

REF_TEMPLATE: Final = "#/components/schemas/{model}"

Direction = Literal["in", "out"]
_Key = tuple[str, Direction]
_Types = Mapping[_Key, TypeAdapter[Any]]

_MODES: Final[Mapping[Direction, JsonSchemaMode]] = {"in": "validation", "out": "serialization"}
# Keywords whose value is a schema, a list of them, or an object of them.
_ONE: Final = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then", "additionalItems"}
)
_MANY: Final = frozenset({"allOf", "anyOf", "items", "oneOf"})
_NAMED: Final = frozenset({"$defs", "definitions", "patternProperties", "properties"})
_NOTHING: Final[Any] = object()


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without what AsyncAPI has another meaning for, and without a reason to fail."""

    # That a default has no JSON form is no concern of who reads the document.
    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012 - as in the base class

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Leave out ``discriminator``: OpenAPI has an object there, AsyncAPI a name. The constants say the same."""
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)
        return made

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Describe what JSON Schema has no words for as anything, so that one field does not cost the document."""
        return {}


class Schemas:
    """Collects the types of payloads; then makes their schemas, which share their definitions."""

    def __init__(self) -> None:
        self._types: dict[_Key, TypeAdapter[Any]] = {}

    def add(self, key: str, payload_type: Any, direction: Direction) -> None:
        """Add a type.

        Args:
            key: what its schema is asked for by.
            payload_type: anything that pydantic can validate.
            direction: ``in`` is as the server takes it, ``out`` as the server writes it.
        """
        self._types[key, direction] = TypeAdapter(payload_type)

    def make(self) -> tuple[dict[_Key, dict[str, Any]], dict[str, Any]]:
        """Return the schemas by key and direction, and the definitions that they refer to, by name.

        A type that no schema can be made of, as one that names what is not defined yet, is described as anything: it
        does not cost the document.
        """
        try:
            made, definitions = _generated(self._types)
        except Exception:  # pydantic has many reasons, and models may bring schemas of their own
            possible = {key: adapter for key, adapter in self._types.items() if _can_be_made(key, adapter)}
            made, definitions = _generated(possible)
        schemas = {key: draft_07(made.get(key, {})) for key in self._types}
        return schemas, {name: draft_07(definitions[name]) for name in sorted(definitions)}


def _generated(types: _Types) -> tuple[dict[_Key, dict[str, Any]], dict[str, Any]]:
    wanted: list[tuple[_Key, JsonSchemaMode, TypeAdapter[Any]]] = [
        (key, _MODES[key[1]], adapter) for key, adapter in types.items()
    ]
    made, shared = TypeAdapter.json_schemas(wanted, ref_template=REF_TEMPLATE, schema_generator=_Generator)
    return {key: made[key, _MODES[key[1]]] for key in types}, shared.get("$defs", {})


def _can_be_made(key: _Key, adapter: TypeAdapter[Any]) -> bool:
    """Say whether a type has a schema, and tell who runs the application where it has none."""
    try:
        _generated({key: adapter})
    except Exception as error:  # see above
        name, direction = key
        log.warning(
            "The AsyncAPI document leaves open what the %s %r %s: pydantic makes no schema of it. %s: %s",
            *(("action", name, "takes") if direction == "in" else ("event", name, "says")),
            type(error).__name__,
            str(error).partition("\n")[0],
        )
        return False
    return True


def draft_07(schema: Any) -> Any:
    """Return a schema of JSON Schema 2020-12, as pydantic makes it, in the dialect of AsyncAPI.

    There, nothing counts beside a ``$ref`` (draft-07 section 8.3), and a tuple is a list of ``items``. What JSON cannot
    carry, as a default of Infinity, is left out.
    """
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _NAMED and isinstance(value, Mapping):
            made[keyword] = {name: draft_07(each) for name, each in value.items()}
        elif keyword in _MANY and isinstance(value, list):
            made[keyword] = [draft_07(each) for each in value]
        elif keyword in _ONE:
            made[keyword] = draft_07(value)
        elif keyword == "prefixItems":
            made["items"] = [draft_07(each) for each in value]
            made["additionalItems"] = draft_07(schema.get("items", True))
        elif keyword != "discriminator" or isinstance(value, str):
            cleaned = clean(value)
            if cleaned is not _NOTHING:
                made[keyword] = cleaned
    if "prefixItems" in schema:
        made["items"] = [draft_07(each) for each in schema["prefixItems"]]
    if "$ref" in made and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}, *made.pop("allOf", ())], **made}
    return made


def clean(value: Any, default: Any = _NOTHING) -> Any:
    """Return a JSON value, or a default when JSON cannot carry it (RFC 8259): no Infinity, no lone surrogate."""
    return value if _is_json(value) else default


def _is_json(value: Any) -> bool:
    match value:
        case None | bool() | int():
            return True
        case float():
            return math.isfinite(value)
        case str():
            return _is_text(value)
        case list():
            return all(_is_json(each) for each in value)
        case dict():
            return all(isinstance(name, str) and _is_text(name) and _is_json(each) for name, each in value.items())
        case _:
            return False


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
