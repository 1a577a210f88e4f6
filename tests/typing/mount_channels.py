"""Everything that an application writes to mount the library on Django Channels; only type-checked, never run."""

from typing import Any, assert_type

from asgiref.sync import async_to_sync
from channels.auth import AuthMiddlewareStack
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.auth.models import User

from wsproto_channels import (
    AccessTokenAuthMiddleware,
    ChannelLayerBackplane,
    WebSocketConsumer,
    event_message,
    get_hub,
    group_name,
    lifespan,
    user_of,
)
from wsproto_channels.routing import websocket_urlpatterns
from wsproto_core import ActionContext, Event, Hub, room


class Said(Event, name="chat.said"):
    text: str


def user_of_token(token: str) -> User | None:
    return User.objects.filter(username=token).first()


async def async_user_of_token(token: str) -> User | None:
    return await User.objects.filter(username=token).afirst()


class Consumer(WebSocketConsumer):
    allow_anonymous = True
    channel_layer_alias = "default"
    groups = ("news",)

    def get_rooms(self) -> list[str]:
        return [self.scope["url_route"]["kwargs"]["room"]]

    async def chat_news(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])
        await self.close(4000, "Bye.")


application = ProtocolTypeRouter(
    {
        "lifespan": lifespan,
        "websocket": AuthMiddlewareStack(
            AccessTokenAuthMiddleware(URLRouter(websocket_urlpatterns), user_of_token),
        ),
    }
)
AccessTokenAuthMiddleware(Consumer.as_asgi(), async_user_of_token)

assert_type(get_hub(), Hub)
assert_type(group_name(room("lobby")), str)
assert_type(group_name("room/lobby"), str)
assert_type(event_message(Said(text="hi"), to=room("lobby")), dict[str, Any])
ChannelLayerBackplane("events")


def view() -> None:
    get_hub().emit_sync(Said(text="hi"), to=room("lobby"))
    layer = get_channel_layer()
    assert layer is not None
    async_to_sync(layer.group_send)(group_name(room("lobby")), event_message(Said(text="hi").to(room("lobby"))))


def handler(context: ActionContext) -> str:
    user = user_of(context)
    return str(user)
