"""The application that the cases talk to: mount it on the host that is to be tested."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import BaseModel, Field

from wsproto_core.context import ActionContext
from wsproto_core.events import Event
from wsproto_core.problems import Problem
from wsproto_core.recipients import room
from wsproto_core.registry import Registry

__all__ = ["conformance_registry"]


class _Echo(BaseModel):
    text: str


class _Room(BaseModel):
    room: str
    text: str = ""


class _Seconds(BaseModel):
    seconds: float = Field(ge=0, le=60)


class _Count(BaseModel):
    count: int = Field(ge=0, le=10_000)


class _Close(BaseModel):
    code: int
    reason: str


class _Nested(BaseModel):
    rooms: list[_Count]


def conformance_registry() -> Registry:  # noqa: C901 - one action after the other, nothing more
    """Return a registry with the actions that the cases call, all of them named ``conformance.…``.

    It holds what the cases ask about later, so a server takes one registry and keeps it.
    """
    registry = Registry()
    begun: list[str] = []
    stopped: list[str] = []

    class Echoed(Event, name="conformance.echoed", registry=registry):
        text: str

    class Told(Event, name="conformance.told", registry=registry):
        text: str

    class Counted(Event, name="conformance.counted", registry=registry):
        number: int

    class State(Event, name="conformance.state", registry=registry):
        user_id: Any
        connection_id: str
        connections: int
        begun: list[str]
        stopped: list[str]

    class Infinite(Event, name="conformance.infinite", registry=registry):
        value: float

    @registry.action("conformance.echo")
    async def echo(payload: _Echo) -> Echoed:
        return Echoed(text=payload.text)

    @registry.action("conformance.echo_plain")
    def echo_plain(payload: _Echo) -> Echoed:
        return Echoed(text=payload.text)

    @registry.action("conformance.count")
    async def count(payload: _Count) -> AsyncIterator[Counted]:
        for number in range(payload.count):
            yield Counted(number=number)

    @registry.action("conformance.count_plain")
    def count_plain(payload: _Count) -> Iterator[Counted]:
        for number in range(payload.count):
            yield Counted(number=number)

    @registry.action("conformance.nested")
    async def nested(payload: _Nested) -> Counted:
        return Counted(number=sum(each.count for each in payload.rooms))

    @registry.action("conformance.enter")
    async def enter(payload: _Room, context: ActionContext[Any]) -> Echoed:
        await context.join(room(payload.room))
        return Echoed(text=payload.room)

    @registry.action("conformance.tell")
    async def tell(payload: _Room) -> Told:
        return Told(text=payload.text).to(room(payload.room))

    @registry.action("conformance.wait")
    async def wait(payload: _Seconds, context: ActionContext[Any]) -> Echoed:
        begun.append(context.connection_id)
        try:
            await asyncio.sleep(payload.seconds)
        except asyncio.CancelledError:
            stopped.append(context.connection_id)
            raise
        return Echoed(text="waited")

    @registry.action("conformance.wait_plain")
    def wait_plain(payload: _Seconds) -> Echoed:
        time.sleep(payload.seconds)
        return Echoed(text="waited")

    @registry.action("conformance.fail")
    async def fail() -> None:
        raise RuntimeError("a secret that nobody may see")

    @registry.action("conformance.refuse")
    async def refuse() -> None:
        raise Problem(
            status=409, code="room_full", title="Room is full", detail="Come back later.", slug="room-full", seats=3
        )

    @registry.action("conformance.infinite")
    async def infinite() -> Infinite:
        return Infinite(value=float("inf"))

    @registry.action("conformance.close")
    async def close(payload: _Close, context: ActionContext[Any]) -> None:
        await context.close(payload.code, payload.reason)

    @registry.action("conformance.state")
    async def state(context: ActionContext[Any]) -> State:
        return State(
            user_id=context.user_id,
            connection_id=context.connection_id,
            connections=len(context.hub.connections),
            begun=list(begun),
            stopped=list(stopped),
        )

    return registry
