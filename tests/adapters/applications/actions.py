"""What every application under test can do."""

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from wsproto_core import (
    AUTHENTICATE_LATER,
    ActionContext,
    Audience,
    ConnectionInfo,
    Event,
    Hub,
    Identity,
    Problem,
    Tickets,
    action,
    default_registry,
    exception_handler,
    room,
    user,
)
from wsproto_core.testing.conformance import conformance_registry

default_registry.include(conformance_registry())

gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
"""What handlers wait for, by name, until somebody calls `open`."""

tickets = Tickets()
"""What every application takes, and the action ``ticket`` issues."""

farewells: Counter[str] = Counter()
"""How often `on_disconnect` ran, by connection."""


class Say(BaseModel):
    room: str
    text: str


class Name(BaseModel):
    name: str


class Gate(Name):
    seconds: float = 30


class Amount(BaseModel):
    count: int = Field(1, ge=0, le=10_000)
    size: int = Field(0, ge=0, le=16_777_216)
    room: str = ""


class Order(BaseModel):
    lines: list[Amount] = Field(min_length=1)


class Said(Event, name="chat.said"):
    user_id: int | str | UUID | None
    text: str


class Entered(Event, name="chat.entered"):
    room: str


class Me(Event, name="me"):
    user_id: int | str | UUID | None
    kind: str
    connection_id: str
    state: dict[str, Any]


class Counted(Event, name="counted"):
    number: int
    filler: str = ""


class Passed(Event, name="passed"):
    name: str
    thread: str


class Noted(Event, name="noted"):
    """What happened to a connection, for whoever watches the room `notes`."""

    what: str
    connection_id: str
    code: int | None = None


class ShelfError(Exception):
    """An error of the application's own, with a handler."""


@action("chat.say")
async def say(payload: Say, context: ActionContext) -> Said:
    await context.join(room(payload.room))
    return Said(user_id=context.user_id, text=payload.text).to(room(payload.room))


@action("chat.enter")
async def enter(payload: Name, context: ActionContext) -> Entered:
    await context.join(payload.name)
    return Entered(room=payload.name)


@action("chat.whisper")
async def whisper(payload: dict[str, str], context: ActionContext) -> Said:
    return Said(user_id=context.user_id, text=payload["text"]).to(user(payload["to"]))


@action("whoami")
async def whoami(context: ActionContext) -> Me:
    return Me(
        user_id=context.user_id,
        kind=type(context.user_id).__name__,
        connection_id=context.connection_id,
        state=context.state,
    )


@action("count")
async def count(payload: Amount) -> AsyncIterator[Counted]:
    for number in range(payload.count):
        yield Counted(number=number, filler="x" * payload.size)


@action("flood")
async def flood(payload: Amount, hub: Hub) -> Counted:
    reached = 0
    for number in range(payload.count):
        reached += await hub.emit(Counted(number=number, filler="x" * payload.size), to=room(payload.room))
        await asyncio.sleep(0)
    return Counted(number=reached)


@action("order")
async def order(payload: Order) -> Counted:
    return Counted(number=len(payload.lines))


@action("wait")
async def wait(payload: Gate, context: ActionContext) -> Passed:
    until = time.monotonic() + payload.seconds
    try:
        await note("waiting", context)
        while not gates[payload.name].is_set() and time.monotonic() < until:  # noqa: ASYNC110 - threads wait for it too
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        await note("cancelled", context)
        raise
    return Passed(name=payload.name, thread=threading.current_thread().name)


@action("block")
def block(payload: Gate, context: ActionContext) -> Passed:
    context.hub.emit_sync(Noted(what="waiting", connection_id=context.connection_id), to=room("notes"))
    gates[payload.name].wait(payload.seconds)
    return Passed(name=payload.name, thread=threading.current_thread().name)


@action("open")
async def open_gate(payload: Name) -> None:
    gates[payload.name].set()


@action("fail")
async def fail(payload: Name, context: ActionContext) -> None:
    match payload.name:
        case "exit":
            raise SystemExit("the secret of the handler")
        case "interrupt":
            raise KeyboardInterrupt("the secret of the handler")
        case "cancel":
            raise asyncio.CancelledError("the secret of the handler")
        case "recursion":
            await fail(payload, context)
        case "problem":
            raise Problem(status=409, code="room_full", title="Room is full", detail="At most 2.", free_at="18:00")
        case "shelf":
            raise ShelfError("the shelf is empty")
        case "recipient":
            await context.emit(Entered(room="nowhere"), to=Audience("shelf", "17"))
        case "event":
            await context.emit(Counted(number=1, filler="\ud800"))
        case _:
            raise ValueError("the secret of the handler")


@exception_handler(ShelfError)
def shelf(error: ShelfError) -> Problem:
    return Problem(str(error), status=404, code="shelf_empty", title="Nothing there")


async def note(what: str, context: ActionContext, code: int | None = None) -> None:
    await context.hub.emit(Noted(what=what, connection_id=context.connection_id, code=code), to=room("notes"))


async def on_disconnect(context: ActionContext, code: int) -> None:
    farewells[context.connection_id] += 1
    await note("gone", context, code)


def authenticate(info: ConnectionInfo) -> Any:
    """Take the token as the name of the user, unless it is one of those that are refused.

    Of ``s3cret!ada~1800000000.5`` the name is ``ada``, and the credential ends at that moment. ``?later`` lets the
    client authenticate later.
    """
    match info.token:
        case None if "later" in info.query:
            return AUTHENTICATE_LATER
        case None:
            raise Problem("Bring a token.", code="unauthenticated")
        case "expired":
            raise Problem("The token has expired.", code="unauthenticated")
        case "banned":
            raise Problem("Not you.", code="forbidden")
        case token if "forged" in token:
            raise Problem("The token is not valid.", code="unauthenticated")
        case token:
            name, _, end = token.rpartition("!")[2].partition("~")
            return Identity(name, expires_at=float(end) if end else None)


@action("ticket")
async def ticket(payload: Name) -> Passed:
    return Passed(name=await tickets.issue(payload.name), thread="")
