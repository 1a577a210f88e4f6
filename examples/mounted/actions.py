"""What the mounted examples have in common: one action, and who may call it."""

from pydantic import BaseModel

from wsproto_core import ActionContext, ConnectionInfo, Event, action, room


class Say(BaseModel):
    room: str
    text: str


class Said(Event, name="chat.said"):
    user_id: str | None
    text: str


@action("chat.say")
async def say(payload: Say, context: ActionContext) -> Said:
    await context.join(room(payload.room))
    return Said(user_id=context.user_id, text=payload.text).to(room(payload.room))


def authenticate(info: ConnectionInfo) -> str | None:
    """Believe the token; ask your database instead."""
    return info.token
