"""A consumer of Channels by hand that is in a group, and an application on a layer of channels_redis."""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, Application, controlled
from benchmarks.servers.django import logged_in, redis_layer, set_up


class Consumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(MEMBERS_ROOM, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(MEMBERS_ROOM, self.channel_name)

    async def chat_said(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps({"event": "chat.said", "payload": message["payload"]}))


async def publish(payload: dict[str, Any]) -> None:
    await get_channel_layer().group_send(ROOM, {"type": "chat.said", "payload": payload})


def application(layer: str) -> Application:
    set_up(layer=redis_layer(layer))
    return controlled(logged_in(Consumer.as_asgi()), publish)
