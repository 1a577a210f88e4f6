"""What travels: events of the worker and of the web server, and the payloads that the page sends."""

from typing import Annotated

from pydantic import BaseModel, Field

from wsproto_core import Event


class Order(BaseModel):
    upto: Annotated[int, Field(ge=10_000, le=5_000_000)] = 1_000_000


class Ordered(Event, name="report.ordered"):
    report: str
    upto: int


class Progress(Event, name="report.progress"):
    report: str
    percent: int


class Notified(Event, name="notification"):
    report: str
    text: str
