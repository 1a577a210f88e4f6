"""What travels: the payloads that the page sends, and the events that it gets."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import BaseModel, Field, StringConstraints

from wsproto_core import Event

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=24)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Person(BaseModel):
    id: str
    name: str


class Join(BaseModel):
    name: Name
    room: Name


class Say(BaseModel):
    text: Text


class Said(Event, name="chat.said"):
    id: UUID = Field(default_factory=uuid4)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: Person
    text: str


class Typing(Event, name="chat.typing"):
    by: Person


class Welcome(Event, name="chat.welcome"):
    room: str
    topic: str  # under which presence tells who is there
    you: Person
    messages: list[Said]


class Rooms(Event, name="chat.rooms"):
    rooms: dict[str, int]  # and how many people are in each


class Counted(Event, name="chat.counted"):
    room: str
    people: int | None  # none: there is no such room any more


class Server(Event, name="chat.server"):
    framework: str
    process: int
