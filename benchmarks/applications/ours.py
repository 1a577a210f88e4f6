"""With this library."""

from pydantic import BaseModel

from wsproto_core import ActionContext, Event, Registry, action

registry = Registry()


class Say(BaseModel):
    room: str
    text: str


class Said(Event, name="chat.said"):
    user_id: int | str | None
    text: str


@action("chat.say", registry=registry)
async def say(payload: Say, context: ActionContext) -> Said:
    return Said(user_id=context.user_id, text=payload.text)
