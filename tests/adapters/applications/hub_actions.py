"""What the applications under test can do with topics, rooms and slow clients."""

from pydantic import BaseModel, Field

from wsproto_core import ActionContext, Audience, Event, Hub, Member, Topic, action, connection, room, topic


class Discussion(Topic, pattern="discussion/{pk}"):
    """Open to all users below 100."""

    pk: int

    async def authorize(self, context: ActionContext) -> bool:
        return self.pk < 100

    async def on_subscribe(self, context: ActionContext) -> "Told":
        return Told(text=f"welcome to {self.pk}")


class Told(Event, name="told"):
    text: str


class Present(Event, name="present"):
    members: list[Member]


class Poured(Event, name="poured"):
    number: int
    filler: str = ""


class Tell(BaseModel):
    topic: str
    text: str


class Where(BaseModel):
    topic: str


class Poke(BaseModel):
    connection_id: str
    text: str


class Pour(BaseModel):
    room: str
    first: int
    count: int
    size: int = 0
    keys: int = Field(10, ge=1)


class Kick(BaseModel):
    room: str
    code: int
    reason: str


def may_subscribe(context: ActionContext, audience: Audience) -> bool:
    """Allow whatever is not below ``secret``; asked where no typed topic decides."""
    return audience.levels[0] != "secret" and audience.id != "cellar"


@action("tell")
async def tell(payload: Tell, hub: Hub) -> Poured:
    return Poured(number=await hub.emit(Told(text=payload.text), to=topic(payload.topic)))


@action("poke")
async def poke(payload: Poke) -> Told:
    return Told(text=payload.text).to(connection(payload.connection_id))


@action("who")
async def who(payload: Where, hub: Hub) -> Present:
    return Present(members=await hub.presence(payload.topic))


@action("pour")
async def pour(payload: Pour, hub: Hub) -> Poured:
    """Emit numbered events to a room, of which as many are of one key as there are keys to share."""
    reached = 0
    for number in range(payload.first, payload.first + payload.count):
        event = Poured(number=number, filler="x" * payload.size)
        reached += await hub.emit(event.to(room(payload.room), key=str(number % payload.keys)))
    return Poured(number=reached)


@action("kick")
async def kick(payload: Kick, hub: Hub) -> Poured:
    return Poured(number=await hub.disconnect(room(payload.room), payload.code, payload.reason))
