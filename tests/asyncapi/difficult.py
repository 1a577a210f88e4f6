"""A registry that is made to be difficult to describe, with a payload for each action that the server takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID

from pydantic import AliasChoices, AnyUrl, BaseModel, ConfigDict, Field, computed_field
from typing_extensions import TypedDict

from wsproto_core import ActionContext, Event, Problem, ProblemType, Registry, Router, Topic
from wsproto_core.events import Emittable

registry = Registry()

T = TypeVar("T")


class Node(BaseModel):
    """A tree."""

    name: str
    children: list[Node] = []
    parent: Node | None = None


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: int | None = Field(default=None, ge=0)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(default=9, gt=0, lt=10)


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    L = 2


class Everything(BaseModel):
    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"discriminator": {"propertyName": "x"}})

    when: datetime
    day: date = date(2026, 1, 31)
    at: time | None = None
    lasts: timedelta = timedelta(minutes=5)
    price: Decimal = Field(default=Decimal("9.90"), max_digits=8, decimal_places=2)
    raw: bytes = b"ab"
    id: UUID
    colour: Colour = Colour.RED
    size: Size = Field(default=Size.S, description="How big it is.")
    point: tuple[int, str] = (1, "a")
    many: tuple[int, ...] = ()
    anything: Any = None
    limit: float = float("inf")
    ratio: float = Field(default=0.5, le=float("inf"))
    url: AnyUrl | None = None
    path: PurePosixPath = PurePosixPath("/tmp")
    tags: set[str] = set()
    counts: dict[str, int] = {}
    by_number: dict[int, str] = {}
    class_: str = Field(default="a", alias="class")
    either: str = Field(default="b", validation_alias=AliasChoices("one", "other"), serialization_alias="three")
    word: str = Field(default="abc", pattern=r"^[a-z]+$", min_length=1, max_length=8, examples=["xyz"])
    even: int = Field(default=2, multiple_of=2)
    hidden: str = Field(default="", exclude=True)


@dataclass
class Point:
    x: float
    y: float
    label: str = field(default="here")


class Coordinates(NamedTuple):
    north: float
    east: float = 0.0


class Written(TypedDict):
    text: str
    at: NotRequired[datetime]
    where: NotRequired[Coordinates]


class Told(Event, name="told", registry=registry):
    """Something was told.

    And here is more about it.
    """

    node: Node
    pet: Pet


class Box(Event, Generic[T], name="box", registry=registry):
    content: T


class Ünïcode(Event, name="zdarzenie/żółw", registry=registry):
    wert: Decimal
    raw: bytes = b"x"
    when: datetime = datetime(2026, 1, 31, tzinfo=UTC)

    @computed_field
    def twice(self) -> Decimal:
        return self.wert * 2


class Empty(Event, name="empty", registry=registry):
    pass


class EventsOnly(Event, name="only.an.event", registry=registry):
    page: Page[Cat]


class RoomFull(Problem):
    """All seats are taken.

    Choose another room, or wait until somebody leaves.
    """

    status = 409
    code = "room_full"
    title = "Room is full"


class Foreign(Problem):
    status, code, slug = 418, "teapot/é", "teapot"


rooms = Router(prefix="rooms.", tags=["rooms"])


@registry.action("plain")
async def plain() -> Empty:
    """Take nothing."""
    return Empty()


@registry.action("tree", examples={"small": {"summary": "A leaf", "value": {"name": "leaf"}}}, deprecated=True)
async def tree(payload: Node) -> Told:
    return Told(node=payload, pet=Cat(kind="cat"))


@registry.action("pages", examples=[Page[Node](items=[Node(name="a")])])
async def pages(payload: Page[Node]) -> AsyncIterator[Told | Empty]:
    for item in payload.items:
        yield Told(node=item, pet=Dog(kind="dog"))
    yield Empty()


@registry.action("pages of ints")
def pages_of_ints(payload: Page[int]) -> Iterator[Box[int] | Box[str]]:
    yield Box[int](content=len(payload.items))
    yield Box[str](content="many")


@registry.action("pet")
async def pet(payload: Pet) -> Box[int]:
    return Box[int](content=payload.lives if isinstance(payload, Cat) else 1)


@registry.action("everything", problems=[Foreign, ProblemType("gone", 410, "gone", "It is gone")])
async def everything(payload: Everything) -> Ünïcode:
    return Ünïcode(wert=payload.price)


@registry.action("a/b")
async def with_slash(payload: Point) -> Box[str]:
    return Box[str](content=payload.label)


@registry.action("a b")
async def with_space(payload: Written) -> Box[str]:
    return Box[str](content=payload["text"])


@registry.action("żółw.mówi", summary="<img src=x onerror=alert(1)>")
async def turtle(payload: dict[str, int]) -> None:
    if payload:
        raise RoomFull("There is no room.")


@registry.action("either")
async def either(payload: Cat | Point | Written) -> Emittable:
    raise Problem(status=409, code="neither", detail="Not of these.")


@rooms.action("join", requires=["rooms:join"])
async def join(payload: Cat, context: ActionContext) -> list[Told]:
    return []


registry.include(rooms)


class Discussion(Topic, pattern="discussion/{pk}/{kind}", registry=registry):
    """What is said about something."""

    pk: int = Field(description="Of the discussion.", examples=[3])
    kind: Literal["live", "archive"]

    async def authorize(self, context: ActionContext) -> bool:
        return True

    async def on_subscribe(self, context: ActionContext) -> AsyncIterator[Told]:
        yield Told(node=Node(name="first"), pet=Cat(kind="cat"))


GOOD: dict[str, Any] = {
    "plain": {},
    "tree": {"name": "a", "children": [{"name": "b", "children": []}], "parent": None},
    "pages": {"items": [{"name": "a"}, {"name": "b"}], "next": 3},
    "pages of ints": {"items": [1, 2]},
    "pet": {"kind": "cat", "lives": 3},
    "everything": {
        "when": "2026-01-31T12:00:00Z",
        "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "price": "12.50",
        "point": [2, "b"],
        "class": "c",
        "one": "d",
        "colour": "blue",
        "by_number": {"1": "one"},
    },
    "a/b": {"x": 1, "y": 2.5},
    "a b": {"text": "hi", "at": "2026-01-31T12:00:00Z", "where": [1.0, 2.0]},
    "żółw.mówi": {},
    "either": {"x": 1, "y": 2},
    "rooms.join": {"kind": "cat"},
}
"""What the server takes, by action."""

BAD: list[tuple[str, Any]] = [
    ("tree", {}),
    ("tree", {"name": 1}),
    ("tree", {"name": "a", "children": [{"children": []}]}),
    ("pages", {"items": "none"}),
    ("pages", {"items": [], "next": -1}),
    ("pages of ints", {"items": ["a"]}),
    ("pet", {"kind": "fish"}),
    ("pet", {"kind": "cat", "lives": 10}),
    ("everything", {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "point": [1]}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "point": ["b", 1]}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "colour": "green"}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "word": "ABC"}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "even": 3}),
    ("everything", {"when": "2026-01-31T12:00:00Z", "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "size": 3}),
    ("a/b", {"x": 1}),
    ("a b", {"text": None}),
    ("żółw.mówi", {"a": "b"}),
    ("either", {}),
    ("rooms.join", {"kind": "dog"}),
]
"""What it refuses."""
