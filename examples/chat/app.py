"""A chat with rooms. Run ``python -m examples.chat`` and open two windows."""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import monotonic

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from examples.chat.events import Join, People, Person, Rooms, Said, Say, Typing, Welcome
from wsproto_core import ActionContext, ConnectionInfo, Event, Problem, action, room, topic
from wsproto_fastapi import configure_websocket, handle_websocket

ROOMS, SEATS, MESSAGES = 100, 20, 50  # at most: nothing here grows without a bound


@dataclass
class Room:
    name: str
    seats: dict[str, Person] = field(default_factory=dict)  # by connection: a person may have several
    messages: deque[Said] = field(default_factory=lambda: deque(maxlen=MESSAGES))

    @property
    def people(self) -> dict[str, Person]:
        return {person.id: person for person in self.seats.values()}


@dataclass
class Seat:
    room: Room
    person: Person
    said_at: deque[float] = field(default_factory=lambda: deque([-5.0] * 5, maxlen=5))


rooms = {name: Room(name) for name in ("lobby", "music", "help")}


def room_named(name: str) -> Room:
    if name not in rooms and len(rooms) >= ROOMS:
        empty = next((each.name for each in rooms.values() if not each.seats), None)
        if empty is None:
            raise Problem(status=409, code="no_more_rooms", detail="There is no room for one more room. Join another.")
        del rooms[empty]
    return rooms.setdefault(name, Room(name))


def directory() -> Rooms:
    return Rooms(rooms={each.name: len(each.people) for each in rooms.values()})


def seat_of(context: ActionContext) -> Seat:
    seat: Seat | None = context.state.get("seat")
    if seat is None:
        raise Problem(status=409, code="not_in_a_room", detail="Enter a room first.")
    return seat


def get_up(context: ActionContext) -> Iterator[Event]:
    """Free the seat that the connection may have; yield what the others are told about it."""
    if seat := context.state.pop("seat", None):
        here, me = seat.room, seat.room.seats.pop(context.connection_id)
        went = None if me.id in here.people else me
        yield People(people=[*here.people.values()], went=went).to(room(here.name))
        yield directory().to(topic("rooms"))


@action("chat.rooms", summary="Which rooms there are, now and from now on")
async def list_rooms(context: ActionContext) -> Rooms:
    await context.subscribe(topic("rooms"))
    return directory()


@action("chat.join", summary="Enter a room, and leave the one before")
async def join(payload: Join, context: ActionContext) -> AsyncIterator[Event]:
    here, me = room_named(payload.room), Person(id=str(context.user_id), name=payload.name)
    if len(here.people) >= SEATS and me.id not in here.people:
        raise Problem(status=409, code="room_full", detail=f"All {SEATS} seats of {here.name} are taken.")
    farewell = [*get_up(context)]
    came = None if me.id in here.people else me
    here.seats[context.connection_id] = me
    context.state["seat"] = Seat(here, me)
    await context.leave(*context.rooms)
    for event in farewell:
        yield event
    await context.join(room(here.name))
    people = [*here.people.values()]
    yield Welcome(room=here.name, you=me, people=people, messages=[*here.messages])
    yield People(people=people, came=came).to(room(here.name), exclude=context.connection_id)
    yield directory().to(topic("rooms"))


@action("chat.say", summary="Write to everyone in the room")
async def say(payload: Say, context: ActionContext) -> Said:
    seat, now = seat_of(context), monotonic()
    if (wait := seat.said_at[0] + 5 - now) > 0:
        detail = "Five messages in five seconds are enough. Take a breath."
        raise Problem(status=429, code="slow_down", detail=detail, retryable=True, retry_after=round(wait, 1))
    seat.said_at.append(now)
    said = Said(by=seat.person, text=payload.text)
    seat.room.messages.append(said)
    return said.to(room(seat.room.name))


@action("chat.typing", summary="Show the others that a message is on its way")
async def typing(context: ActionContext) -> Typing:
    seat = seat_of(context)
    return Typing(by=seat.person).to(room(seat.room.name), exclude=context.connection_id)


async def gone(context: ActionContext) -> None:
    """The tab was closed, or the network is away: the others see it all the same."""
    for event in get_up(context):
        await context.emit(event)


def visitor(info: ConnectionInfo) -> str:
    """Whoever holds a token is one visitor, known by its hash. In earnest, verify a token of your own here."""
    if info.token is None:
        raise Problem(status=401, detail="A token is missing: any text that nobody else can guess.")
    return sha256(info.token.encode()).hexdigest()[:16]


HERE = Path(__file__).parent
app = FastAPI(title="Chat")
hub = configure_websocket(app, authenticate=visitor, on_disconnect=gone)


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket)


@app.middleware("http")
async def content_security_policy(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response


@app.get("/wsproto.js")
async def client_module() -> FileResponse:
    return FileResponse(HERE.parents[1] / "clients/typescript/wsproto.js", media_type="text/javascript")


app.mount("/", StaticFiles(directory=HERE / "static", html=True))
