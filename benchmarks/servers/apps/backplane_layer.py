"""This library on Channels: its events go through channels_redis, the pubsub layer."""

from typing import Any

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, controlled
from benchmarks.servers.django import logged_in, redis_layer, set_up
from wsproto_core import ActionContext, Event, Registry, room

registry = Registry()


async def on_connect(context: ActionContext) -> None:
    await context.join(MEMBERS_ROOM)


set_up(
    "wsproto_channels",
    layer=redis_layer("pubsub.RedisPubSubChannelLayer"),
    WSPROTO={"REGISTRY": registry, "AUTODISCOVER": False, "ON_CONNECT": on_connect},
)

from wsproto_channels import WebSocketConsumer, get_hub  # noqa: E402 - after the set-up


class Said(Event, name="chat.said"):
    at: int
    text: str


async def publish(payload: dict[str, Any]) -> None:
    await get_hub().emit(Said(**payload), to=room(ROOM))


app = controlled(logged_in(WebSocketConsumer.as_asgi()), publish)
