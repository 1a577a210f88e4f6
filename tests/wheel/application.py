"""Served where the wheel and one extra are installed: a chat on `WebSocketApp`, as the environment says.

BACKPLANE is its backplane; with AUTHENTICATOR=jwt or itsdangerous it takes tokens of that kind.
"""

import os
from typing import Any

from pydantic import BaseModel

from wsproto_asgi import WebSocketApp
from wsproto_core import ActionContext, Event, action, room

KEY = "a key of at least thirty-two bytes, for the test of the wheel"


class Join(BaseModel):
    room: str


class Say(Join):
    text: str


class Said(Event, name="chat.said"):
    user_id: int | str | None
    text: str


@action("chat.join")
async def join(payload: Join, context: ActionContext) -> Said:
    await context.join(room(payload.room))
    return Said(user_id=context.user_id, text="joined")


@action("chat.say")
async def say(payload: Say, context: ActionContext) -> Said:
    await context.join(room(payload.room))
    return Said(user_id=context.user_id, text=payload.text).to(room(payload.room))


def authenticator() -> Any:
    """Return the one that the environment names."""
    kind = os.environ.get("AUTHENTICATOR")
    if kind == "jwt":
        from wsproto_jwt import JwtAuthenticator

        return JwtAuthenticator(KEY, algorithms=["HS256"])
    if kind == "itsdangerous":
        from wsproto_itsdangerous import SignedTokenAuthenticator

        return SignedTokenAuthenticator(KEY, max_age=60)
    return None


app = WebSocketApp(path="/ws/", authenticate=authenticator(), backplane=os.environ.get("BACKPLANE", "memory://"))
