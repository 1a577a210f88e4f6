"""Redis between processes, as a type checker sees it."""

from typing import assert_type

from wsproto_core import Backplane, Event, Tickets, room, user
from wsproto_core.presence import PresenceStore, SupportsPresence
from wsproto_core.tickets import TicketStore
from wsproto_redis import (
    AsyncRedisEmitter,
    RedisBackplane,
    RedisEmitter,
    RedisPresenceStore,
    RedisTicketStore,
    backplane_from_url,
)


class Said(Event, name="typing.redis.said"):
    text: str


backplane: Backplane = RedisBackplane("redis://localhost", prefix="shop:", signing_key=["x" * 16, b"y" * 16], timeout=2)
supports_presence: SupportsPresence = backplane_from_url("redis://localhost")
ticket_store: TicketStore = RedisTicketStore("redis://localhost")
tickets = Tickets(store=ticket_store)
presence_store: PresenceStore = RedisPresenceStore("redis://localhost")

with RedisEmitter("redis://localhost") as emitter:
    assert_type(emitter, RedisEmitter)
    assert_type(emitter.emit(Said(text="hi"), to=[room("lobby"), user(42)], exclude="a-connection"), int)
    assert_type(emitter.disconnect(user(42), 3003, "that is enough"), int)


async def emit() -> None:
    async with AsyncRedisEmitter("redis://localhost", signing_key="x" * 16) as emitter:
        assert_type(await emitter.emit(Said(text="hi"), to=room("lobby")), int)
        assert_type(await emitter.disconnect(room("lobby")), int)
