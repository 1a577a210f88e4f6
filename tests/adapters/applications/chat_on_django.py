"""The actions of the chat demo on Django Channels, with its strict Content Security Policy, in one file."""

import os
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from examples.chat.actions import options


def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def answer(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return answer


settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    ASGI_APPLICATION=f"{__name__}.application",
    INSTALLED_APPS=["channels", "wsproto_channels"],
    MIDDLEWARE=[f"{__name__}.content_security_policy"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    USE_TZ=True,
    WSPROTO={"TITLE": "Chat", **{name.upper(): value for name, value in options("Django").items()}},
)
os.environ.pop("DJANGO_SETTINGS_MODULE", None)

from django.core.asgi import get_asgi_application

http = get_asgi_application()

# ruff: noqa: E402 - what follows needs Django to be set up, which that call has done
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import include, path

from wsproto_channels import WebSocketConsumer, lifespan

urlpatterns = [path("", include("wsproto_channels.urls"))]


application = ProtocolTypeRouter(
    {
        "http": http,
        "lifespan": lifespan,
        "websocket": URLRouter([path("ws/", WebSocketConsumer.as_asgi())]),
    }
)
