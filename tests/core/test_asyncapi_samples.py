from typing import Any

import pytest

from wsproto_core.asyncapi.samples import Samples

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/x/Node"}},
    "required": ["name"],
}
ENDLESS = {"type": "object", "properties": {"next": {"$ref": "#/x/Endless"}}, "required": ["next"]}
SAMPLES = Samples(
    {
        "Node": NODE,
        "Endless": ENDLESS,
        "Circle": {"$ref": "#/x/Circle"},
        "Named": {"examples": [{"a": 1}]},
        "Text": {"type": "string"},
    }
)


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ({"$ref": "#/x/Named", "type": "object"}, {"a": 1}),
        ({"enum": ["b", "c"]}, "b"),
        ({"const": 5}, 5),
        ({"default": "a", "type": "string"}, "a"),
        ({"default": None}, None),
        ({"default": None, "type": "null"}, None),
        ({"default": None, "type": ["string", "null"]}, None),
        ({"default": None, "const": None}, None),
        ({"default": None, "anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ({"default": None, "anyOf": [{"type": "string"}, {"enum": [1, None]}]}, None),
        ({"default": None, "type": "string"}, "text"),
        ({"default": None, "type": ["string", "integer"], "const": "a"}, "a"),
        ({"default": None, "anyOf": [{"type": "string"}, {"const": 5}, False]}, "text"),
        ({"default": None, "anyOf": [{"type": "string"}, True]}, None),
        ({"default": None, "oneOf": [{"enum": [1]}, {"type": "string"}]}, 1),
        ({"default": None, "allOf": [{"$ref": "#/x/Text"}]}, "text"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "text……"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "uuid"}, "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 4}, 8),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}, [1, "text"]),
        ({"type": "array", "items": {}}, []),
        ({"anyOf": [{"type": "string", "pattern": "x"}, {"type": "null"}]}, None),
        ({"allOf": [{"type": "string"}]}, "text"),
        ({"type": "object", "properties": {"a": {}, "b": {"type": "string"}}}, {"b": "text"}),
        ({"type": "object", "properties": {"a": {"type": "string", "default": None}}}, {}),
        (
            {"type": "object", "properties": {"a": {"type": "string", "default": None}}, "required": ["a"]},
            {"a": "text"},
        ),
        ({"type": "object", "properties": {"a": {"const": "b", "default": None}}}, {"a": "b"}),
    ],
    ids=str,
)
def test_a_value_is_made_of_a_schema(schema: dict[str, Any], sample: object) -> None:
    assert SAMPLES.of(schema) == [sample]


def test_a_model_that_names_itself_is_left_off_at_some_depth() -> None:
    [sample] = SAMPLES.of({"$ref": "#/x/Node"})
    assert sample["name"] == "text"
    assert sample["next"]["next"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "pattern": "^x"},
        {"type": "string", "format": "nobody knows"},
        {"type": "string", "format": "date", "minLength": 40},
        {"type": "string", "minLength": 5_000},
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"type": "integer", "minimum": 5, "exclusiveMaximum": 5},
        {"type": "integer", "minimum": 5, "exclusiveMinimum": 5},
        {"type": "integer", "minimum": 5, "multipleOf": 2},
        {"type": "array", "items": {}, "minItems": 1},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2, "uniqueItems": True},
        {"type": "object", "minProperties": 1},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"allOf": [{"type": "string"}, {"minLength": 3}]},
        {"$ref": "#/x/Endless"},
        {"$ref": "#/x/Circle"},
        {"type": "array", "items": [True]},
    ],
    ids=str,
)
def test_nothing_is_guessed(schema: dict[str, Any]) -> None:
    assert SAMPLES.of(schema) == []


def test_what_would_be_endless_is_given_up() -> None:
    wide = {"type": "object", "properties": {str(number): {"$ref": "#/x/Wide"} for number in range(50)}}
    [sample] = Samples({"Wide": wide}).of({"$ref": "#/x/Wide"})
    assert len(str(sample)) < 10_000
