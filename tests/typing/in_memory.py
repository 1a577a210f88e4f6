"""Read by type checkers, never run: the client in memory gives typed events back."""

from typing import assert_type

from wsproto_core import Event, Hub, Registry
from wsproto_core.testing import captured, connect


class Said(Event, name="chat.said"):
    text: str


async def talk(registry: Registry) -> None:
    async with connect(registry, user_id=1) as client:
        reply = await client.call("chat.say", {"room": "lobby", "text": "hi"})
        assert_type(reply.expect(Said), Said)
        assert reply.events[0].payload["text"] == "hi"


async def listen(hub: Hub) -> None:
    with captured(hub) as events:
        await hub.emit(Said(text="hi"))
        assert len(events) == 1
