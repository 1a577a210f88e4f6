"""redis-py by hand: one channel, one task that listens, a loop over the members."""

import asyncio
import json
from typing import Any

from redis.asyncio import Redis

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, controlled, with_lifespan
from benchmarks.engines import url
from benchmarks.servers.asgi import Receive, Scope, Send, frames

redis = Redis.from_url(url())
members: set[Send] = set()
listening: list[asyncio.Task[None]] = []


async def publish(payload: dict[str, Any]) -> None:
    await redis.publish(ROOM, json.dumps({"event": "chat.said", "payload": payload}))


async def start() -> None:
    pubsub = redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(MEMBERS_ROOM)

    async def listen() -> None:
        async for message in pubsub.listen():
            text = message["data"].decode()
            for send in list(members):
                await send({"type": "websocket.send", "text": text})

    listening.append(asyncio.create_task(listen()))


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    members.add(send)
    try:
        async for _ in frames(scope, receive, send):
            pass
    finally:
        members.discard(send)


app = with_lifespan(controlled(serve, publish), start)
