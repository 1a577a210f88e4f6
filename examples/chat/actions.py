"""What the chat does, on whatever framework, and in however many processes."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic

from examples.chat.events import Counted, Join, Person, Rooms, Said, Say, Server, Typing, Welcome
from examples.chat.store import BACKPLANE, store
from wsproto_core import ActionContext, ConnectionInfo, Hub, HubOptions, Presence, Problem, action, room, topic

ROOMS, SEATS = 100, 20  # at most: nothing here grows without a bound


@dataclass
class Seat:
    room: str
    person: Person
    said_at: deque[float] = field(default_factory=lambda: deque([-5.0] * 5, maxlen=5))


def seat_of(context: ActionContext) -> Seat:
    seat: Seat | None = context.state.get("seat")
    if seat is None:
        raise Problem(status=409, code="not_in_a_room", detail="Enter a room first.")
    return seat


async def counted(name: str, hub: Hub) -> Counted:
    """How many people are in a room: told to everybody who sees the list of rooms."""
    return Counted(room=name, people=len(await hub.presence(room(name)))).to(topic("rooms"))


async def open_room(name: str, hub: Hub) -> None:
    rooms = await store.rooms()
    if name not in rooms and len(rooms) >= ROOMS:
        for each in rooms:
            if not await hub.presence(room(each)):
                await store.close(each)
                await hub.emit(Counted(room=each, people=None), to=topic("rooms"))
                break
        else:
            raise Problem(status=409, code="no_more_rooms", detail="There is no room for one more room. Join another.")
    await store.open(name)


@action("chat.rooms", summary="Which rooms there are, now and from now on")
async def list_rooms(context: ActionContext) -> Rooms:
    await context.subscribe(topic("rooms"))
    names = await store.rooms()
    present = await asyncio.gather(*(context.hub.presence(room(name)) for name in names))
    return Rooms(rooms={name: len(people) for name, people in zip(names, present, strict=True)})


@action("chat.join", summary="Enter a room, and leave the one before")
async def join(payload: Join, context: ActionContext) -> AsyncIterator[Welcome | Counted]:
    here, me, before = payload.room, Person(id=str(context.user_id), name=payload.name), context.rooms
    await open_room(here, context.hub)
    # Processes learn of each other's people a moment later, and may seat one too many in it.
    people = {str(each.user_id) for each in await context.hub.presence(room(here))}
    if len(people) >= SEATS and me.id not in people:
        raise Problem(status=409, code="room_full", detail=f"All {SEATS} seats of {here} are taken.")
    await store.remember(me)
    context.state.pop("seat", None)
    await context.leave(*before - {here})
    await context.join(room(here), presence=True)  # tells the page who is here, and who comes and goes
    context.state["seat"] = Seat(here, me)
    yield Welcome(room=here, topic=room(here).topic or "", you=me, messages=await store.messages(here))
    for name in before | {here}:
        yield await counted(name, context.hub)


@action("chat.say", summary="Write to everyone in the room")
async def say(payload: Say, context: ActionContext) -> Said:
    seat, now = seat_of(context), monotonic()
    if (wait := seat.said_at[0] + 5 - now) > 0:
        detail = "Five messages in five seconds are enough. Take a breath."
        raise Problem(status=429, code="slow_down", detail=detail, retryable=True, retry_after=round(wait, 1))
    seat.said_at.append(now)
    said = Said(by=seat.person, text=payload.text)
    await store.keep(seat.room, said)
    return said.to(room(seat.room))


@action("chat.typing", summary="Show the others that a message is on its way")
async def typing(context: ActionContext) -> Typing:
    seat = seat_of(context)
    return Typing(by=seat.person).to(room(seat.room), exclude=context.connection_id)


async def gone(context: ActionContext) -> None:
    """The tab was closed, or the network is away: presence tells the room, and this the list of rooms."""
    for name in context.rooms:
        await context.emit(await counted(name, context.hub))


def visitor(info: ConnectionInfo) -> str:
    """Whoever holds a token is one visitor, known by its hash. In earnest, verify a token of your own here."""
    if info.token is None:
        raise Problem(status=401, detail="A token is missing: any text that nobody else can guess.")
    return sha256(info.token.encode()).hexdigest()[:16]


def options(framework: str) -> HubOptions:
    """How the chat is configured, wherever it is mounted."""

    async def introduce(context: ActionContext) -> None:
        await context.emit(Server(framework=framework, process=os.getpid()))

    return {
        "authenticate": visitor,
        "backplane": BACKPLANE,
        "presence": Presence(topics=["room/+"], info=store.names, lease=float(os.environ.get("LEASE", "30"))),
        "on_connect": introduce,
        "on_disconnect": gone,
    }
