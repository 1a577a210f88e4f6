import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_serializer
from pydantic.dataclasses import dataclass as pydantic_dataclass

from wsproto_core import Audience, Event, UnserializableEventError, room
from wsproto_core.encoding import EncodedEvent, encode_event, encode_json, encode_payload, json_text, recipient_members

ID = "123e4567-e89b-42d3-a456-426614174000"


class Inner(BaseModel):
    """Writes its own NaN as null, as pydantic does by default."""

    x: float = 0.0


@dataclass
class Point:
    x: float


@pydantic_dataclass
class CheckedPoint:
    x: float


class Colour(Enum):
    RED = "red"


class Said(Event, register=False):
    event_name = "chat.said"
    text: str = "hi"
    count: int | None = None
    tags: tuple[str, ...] = ()
    when: datetime | None = None
    of: UUID | None = None
    kind: Literal["a", "b"] = "a"


class Measured(Event, register=False):
    event_name = "measured"
    value: float = 0.0


class Held(Event, register=False):
    event_name = "held"
    value: Any


class Labelled(Event, register=False):
    """Has fields that are called as keys of pydantic's schemas are."""

    event_name = "labelled"
    metadata: Inner = Inner()
    default: tuple[Inner, ...] = ()
    type: str = "x"


class Open(Event, register=False):
    model_config = ConfigDict(extra="allow")
    event_name = "open"


class Deferred(Event, register=False):
    event_name = "deferred"
    child: "Completed"


class Completed(Inner):
    pass


class Computed(Event, register=False):
    event_name = "computed"
    name: str = "x"

    @computed_field
    @property
    def ratio(self) -> float:
        return math.inf


class Silent(Event, register=False):
    model_config = ConfigDict(ser_json_inf_nan="null")
    event_name = "silent"
    value: float


class Rounded(Event, register=False):
    event_name = "rounded"
    value: float

    @field_serializer("value")
    def finite(self, value: float) -> float:
        return value if math.isfinite(value) else -1.0


def test_an_event_is_written_once_and_completed_for_each_receiver() -> None:
    encoded = encode_event(Said(text='"ż"'), ID)
    members = recipient_members(room("a/b"))
    assert json.loads(encoded.text(1, members)) == {
        "msg_id": ID,
        "seq": 1,
        "event": "chat.said",
        "recipient": "room",
        "recipient_id": "a/b",
        "payload": {"text": '"ż"', "count": None, "tags": [], "when": None, "of": None, "kind": "a"},
    }
    asked = json.loads(encoded.text(7, members, ID))
    assert (asked["seq"], asked["req_id"], list(asked)) == (
        7,
        ID,
        ["msg_id", "req_id", "seq", "event", "recipient", "recipient_id", "payload"],
    )


@given(name=st.text(min_size=1), kind=st.text(min_size=1), each=st.text(min_size=1))
def test_whatever_the_names_the_text_is_json(name: str, kind: str, each: str) -> None:
    audience = Audience(f"a {kind}", each)
    document = json.loads(EncodedEvent(ID, name, "{}").text(1, recipient_members(audience), ID))
    assert (document["event"], document["recipient"], document["recipient_id"]) == (name, f"a {kind}", each)
    assert json.loads(json_text(name)) == name


def test_fields_are_written_by_alias() -> None:
    class Sent(Event, register=False):
        event_name = "sent"
        to_: str = Field(alias="to")

    assert encode_payload(Sent(to="ada")) == '{"to":"ada"}'


@pytest.mark.parametrize(
    ("event", "members"),
    [
        (Said(when=datetime(2024, 1, 2, tzinfo=UTC), of=UUID(ID)), {"when": "2024-01-02T00:00:00Z", "of": ID}),
        (Said(text="NaN and -Infinity"), {"text": "NaN and -Infinity", "count": None}),
        (Measured(value=1e308), {"value": 1e308}),
        (Held(value=[None, Inner(x=1), {"a": (1.5, {2})}]), {"value": [None, {"x": 1}, {"a": [1.5, [2]]}]}),
        (Held(value={"NaN": None, "a": CheckedPoint(1)}), {"value": {"NaN": None, "a": {"x": 1}}}),
        (Held(value=[None, Decimal("NaN"), Colour.RED]), {"value": [None, "NaN", "red"]}),
        (Labelled(), {"metadata": {"x": 0}, "default": [], "type": "x"}),
        (Open(extra=1.5), {"extra": 1.5}),
        (Rounded(value=math.nan), {"value": -1}),
        (Silent(value=1), {"value": 1}),
    ],
    ids=str,
)
def test_what_json_can_carry_is_written(event: Event, members: dict[str, object]) -> None:
    assert json.loads(encode_payload(event)).items() >= members.items()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "hold",
    [
        lambda number: Measured(value=number),
        lambda number: Silent(value=number),
        lambda number: Held(value=number),
        lambda number: Held(value={"a": [(number,)]}),
        lambda number: Held(value={number: 1, "a": Inner(x=number)}),
        lambda number: Held(value=Point(number)),
        lambda number: Held(value=[CheckedPoint(number)]),
        lambda number: Labelled(metadata=Inner(x=number)),
        lambda number: Labelled(default=(Inner(x=number),)),
        lambda number: Open(extra=number),
        lambda number: Open(extra=Inner(x=number)),
    ],
    ids=[
        "float",
        "silent",
        "any",
        "nested",
        "model",
        "dataclass",
        "checked dataclass",
        "metadata",
        "default",
        "extra",
        "model in extra",
    ],
)
def test_no_event_with_a_number_that_json_has_not_is_written(hold: Callable[[float], Event], number: float) -> None:
    with pytest.raises(UnserializableEventError, match="holds NaN or Infinity"):
        encode_payload(hold(number))


def test_neither_is_one_whose_class_was_completed_later() -> None:
    with pytest.raises(UnserializableEventError, match="Deferred holds NaN"):
        encode_payload(Deferred.model_construct(child=Completed(x=math.nan)))


def test_neither_is_one_that_computes_it() -> None:
    with pytest.raises(UnserializableEventError, match="Computed holds NaN"):
        encode_payload(Computed())


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_neither_is_one_that_was_made_without_validation() -> None:
    with pytest.raises(UnserializableEventError, match="Said holds NaN"):
        encode_payload(Said.model_construct(count=math.nan))


@pytest.mark.parametrize(
    "value", ["\ud800", ["\udfff"], {"\ud800": 1}, object(), (circle := [1]).append(circle) or circle], ids=range(5)
)
def test_what_json_cannot_carry_is_refused_with_the_name_of_the_class(value: object) -> None:
    with pytest.raises(UnserializableEventError, match="Held cannot be written as JSON"):
        encode_payload(Held(value=value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"a": None, "b": [1.5, "NaN"]}, '{"a":null,"b":[1.5,"NaN"]}'),
        ({"at": datetime(2024, 1, 2, tzinfo=UTC), "of": UUID(ID)}, f'{{"at":"2024-01-02T00:00:00Z","of":"{ID}"}}'),
    ],
    ids=["empty", "plain", "rich"],
)
def test_an_object_is_written(value: dict[str, Any], text: str) -> None:
    assert encode_json(value, "it") == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "The problem holds NaN or Infinity"),
        ([Point(math.inf)], "The problem holds NaN or Infinity"),
        (CheckedPoint(math.nan), "The problem holds NaN or Infinity"),
        (Inner(x=math.nan), "The problem holds NaN or Infinity"),
        ("\ud800", "The problem cannot be written as JSON"),
        (object(), "The problem cannot be written as JSON"),
    ],
    ids=["float", "dataclass", "checked dataclass", "model", "surrogate", "object"],
)
def test_an_object_that_json_cannot_carry_is_refused(value: object, message: str) -> None:
    with pytest.raises(UnserializableEventError, match=message):
        encode_json({"a": value}, "The problem")
