"""Rooms that span processes, for what happens when the engine between them breaks. No framework; any ASGI server."""

import asyncio
import dataclasses
import json
import logging
import os
from typing import Any

from pydantic import BaseModel

from wsproto_asgi import WebSocketApp
from wsproto_asgi.handshake import Receive, Scope, Send
from wsproto_core import ActionContext, Event, Limits, Presence, Registry, room

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
registry = Registry()


class Where(BaseModel):
    room: str
    count: int = 1


class Numbered(Event, name="numbered", registry=registry):
    number: int
    room: str


class Joined(Event, name="joined", registry=registry):
    rooms: int


@registry.action("join")
async def join(payload: Where, context: ActionContext) -> Joined:
    """Join a room, or so many whose names begin alike."""
    names = [payload.room] if payload.count == 1 else [f"{payload.room}{number}" for number in range(payload.count)]
    await context.join(*names)
    return Joined(rooms=len(context.rooms))


@registry.action("attend")
async def attend(payload: Where, context: ActionContext) -> Joined:
    """Join a room, and be told who is there."""
    await context.join(payload.room, presence=True)
    return Joined(rooms=len(context.rooms))


@registry.action("say")
async def say(payload: Numbered) -> Numbered:
    return payload.to(room(payload.room))


socket = WebSocketApp(
    registry=registry,
    backplane=os.environ["TEST_BACKPLANE"],
    authenticate=lambda info: info.query.removeprefix("user=") or None,
    # Not with NATS, which keeps nothing.
    presence=Presence(lease=2) if os.environ["TEST_BACKPLANE"].startswith("redis") else None,
    limits=Limits(max_connections=1_000, **json.loads(os.environ.get("TEST_LIMITS", "{}"))),
)


async def answer(path: str) -> Any:
    match path.strip("/").split("/"):
        case ["stats"]:
            return dataclasses.asdict(socket.hub.stats()) | {"counters": dict(socket.hub.stats().counters)}
        case ["stream", name, first, count]:
            for number in range(int(first), int(first) + int(count)):
                await socket.hub.emit(Numbered(number=number, room=name), to=room(name))
                await asyncio.sleep(0.005)
            return count
        case ["emit", name, first, count]:
            for number in range(int(first), int(first) + int(count)):
                await socket.hub.emit(Numbered(number=number, room=name), to=room(name))
            return count
        case _:
            return None


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await socket(scope, receive, send)
        return
    body = json.dumps(await answer(scope["path"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
