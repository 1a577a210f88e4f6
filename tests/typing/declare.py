"""Read by type checkers, never run: what an application declares passes their strict modes, and keeps its types."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, assert_type

from pydantic import BaseModel

from wsproto_core import (
    Action,
    ActionContext,
    ActionEnvelope,
    Audience,
    Event,
    Hub,
    Problem,
    Registry,
    Router,
    action,
    everyone,
    exception_handler,
    recipient,
    room,
    topic,
    user,
)


class Say(BaseModel):
    room: str
    text: str


class Said(Event, name="chat.said"):
    user_id: int | str | None
    text: str


@action("chat.say")
async def say(payload: Say, context: ActionContext) -> Said:
    await context.join(room(payload.room))
    return Said(user_id=context.user_id, text=payload.text).to(room(payload.room))


router = Router(prefix="chat.")


@router.action("list", summary="Everything at once", tags=["chat"], timeout=5)
async def list_all(context: ActionContext[int], envelope: ActionEnvelope) -> AsyncIterator[Said]:
    assert_type(context.user_id, int)
    await context.emit(Said(user_id=1, text="first"), to=user(1))
    yield Said(user_id=1, text=envelope.action)


@action("chat.count", blocking=False)
def count(payload: dict[str, int], hub: Hub) -> Iterator[Said]:
    assert_type(hub.room_size("lobby"), int)
    yield Said(user_id=None, text=str(sum(payload.values())))


class Health(Action, name="app.health"):
    async def execute(self, message: ActionEnvelope, context: ActionContext) -> AsyncIterator[Event]:
        yield Said(user_id=None, text="ok").to(topic("status"), everyone(), exclude=("c1",), key="health")


class RoomFull(Problem):
    status = 409
    code = "room_full"
    title = "Room is full"
    slug = "room-full"


@exception_handler(ValueError)
def invalid(error: ValueError) -> Problem:
    return Problem(status=400, code="invalid", title="Invalid", detail=str(error), slug="invalid", hint="try again")


@recipient("session")
def session(recipient_id: str) -> Iterable[str]:
    return [recipient_id]


registry = Registry()
registry.include(router, prefix="user.")


async def from_anywhere(hub: Hub, said: Said) -> None:
    assert_type(said.to(room("lobby")), Said)
    assert_type(await hub.emit(said, to=room("lobby")), int)
    hub.emit_sync(said, to=Audience("session", "17"))


# A decorator returns the function as it was: it can still be called and tested as such.
async def direct_call(context: ActionContext[Any]) -> Said:
    return await say(Say(room="lobby", text="hi"), context)
