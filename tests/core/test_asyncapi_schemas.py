from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from wsproto_core.asyncapi.schemas import Schemas, clean, draft_07


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    first: Cat = Field(description="The first.", default=Cat(kind="cat"))


def schema_of(payload_type: Any, direction: Any = "in") -> tuple[dict[str, Any], dict[str, Any]]:
    schemas = Schemas()
    schemas.add("it", payload_type, direction)
    made, definitions = schemas.make()
    return made["it", direction], definitions


def test_nothing_makes_nothing() -> None:
    assert Schemas().make() == ({}, {})


def test_models_are_shared_definitions() -> None:
    schema, definitions = schema_of(Owner)
    assert schema == {"$ref": "#/components/schemas/Owner"}
    assert list(definitions) == ["Cat", "Dog", "Owner"]


def test_a_union_has_no_object_as_its_discriminator() -> None:
    _, definitions = schema_of(Owner)
    refs = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    assert definitions["Owner"]["properties"]["pet"] == {"oneOf": refs, "title": "Pet"}


def test_nothing_stands_beside_a_reference() -> None:
    first = schema_of(Owner)[1]["Owner"]["properties"]["first"]
    assert first["allOf"] == [{"$ref": "#/components/schemas/Cat"}]
    assert first["description"] == "The first."
    assert draft_07({"$ref": "#/a", "allOf": [{"type": "string"}]}) == {"allOf": [{"$ref": "#/a"}, {"type": "string"}]}


def test_a_tuple_is_a_list_of_items() -> None:
    assert schema_of(tuple[int, str])[0] == {
        "type": "array",
        "items": [{"type": "integer"}, {"type": "string"}],
        "additionalItems": True,
        "minItems": 2,
        "maxItems": 2,
    }
    assert draft_07({"items": False, "prefixItems": [True]}) == {"items": [True], "additionalItems": False}


def test_what_is_taken_and_what_is_written_may_differ() -> None:
    class Both(BaseModel):
        count: int = 1

    schemas = Schemas()
    schemas.add("it", Both, "in")
    schemas.add("it", dict[str, Both], "out")
    made, _ = schemas.make()
    assert set(made) == {("it", "in"), ("it", "out")}


def test_what_json_schema_has_no_words_for_is_anything() -> None:
    class Odd(BaseModel):
        function: Callable[[], None]
        count: int

    _, definitions = schema_of(Odd)
    assert definitions["Odd"]["properties"]["function"] == {"title": "Function"}


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("nan"), "\ud800", ["\udfff"], {"a": float("inf")}, {1: 2}, {"\ud800": 1}, object(), (1,)],
    ids=range(9),
)
def test_what_json_cannot_carry_is_left_out(value: object) -> None:
    assert clean(value, None) is None
    assert draft_07({"type": "number", "default": value}) == {"type": "number"}


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "ż", [1, {"a": []}], {"a": "b"}], ids=range(7))
def test_what_json_can_carry_stays(value: object) -> None:
    assert draft_07({"default": value}) == {"default": value}


def test_members_that_are_named_like_keywords_are_members() -> None:
    properties = {"prefixItems": {"type": "string"}, "$ref": {"type": "integer"}, "discriminator": {"type": "null"}}
    assert draft_07({"properties": properties}) == {"properties": properties}


def test_a_discriminator_by_name_is_asyncapis_own() -> None:
    assert draft_07({"discriminator": "kind"}) == {"discriminator": "kind"}
    assert draft_07({"discriminator": {"propertyName": "kind"}}) == {}
