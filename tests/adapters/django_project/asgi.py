"""What the servers run."""

import os
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.adapters.django_project.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

# ruff: noqa: E402 - what follows needs Django to be set up, which that call has done
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from tests.adapters.applications.common import user_from
from tests.adapters.django_project.site.tokens import user_of_token
from wsproto_channels import AccessTokenAuthMiddleware, WebSocketConsumer, lifespan


class QueryConsumer(WebSocketConsumer):
    """Knows its user from ``?user=``, as the table of hosts asks for."""

    def get_user(self) -> Any:
        query = parse_qs(self.scope["query_string"].decode())
        return SimpleNamespace(is_authenticated=True, pk=user_from(query.get("user", [None])[0]))


class LayerConsumer(QueryConsumer):
    """Has a channel of its own on the channel layer, as Channels' consumers have."""

    channel_layer_alias = "default"
    groups = ("everybody",)

    async def site_news(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])

    async def site_farewell(self, event: dict[str, Any]) -> None:
        await self.close(4000, event["text"])

    async def site_accident(self, event: dict[str, Any]) -> None:
        raise ValueError("the secret of the handler")


application = ProtocolTypeRouter(
    {
        "http": http,
        "lifespan": lifespan,
        "websocket": URLRouter(
            [
                path("ws/", QueryConsumer.as_asgi()),
                path("login/", WebSocketConsumer.as_asgi()),
                path("layer/", LayerConsumer.as_asgi()),
                path("session/", AuthMiddlewareStack(WebSocketConsumer.as_asgi())),
                path(
                    "token/",
                    AuthMiddlewareStack(AccessTokenAuthMiddleware(WebSocketConsumer.as_asgi(), user_of_token)),
                ),
            ]
        ),
    }
)
