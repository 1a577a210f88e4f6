"""The URL patterns of a project that has one socket, for users who are logged in: ``ws/``."""

from typing import Any, Final, cast

from django.urls import URLPattern, path

from wsproto_channels.consumer import WebSocketConsumer

__all__ = ["websocket_urlpatterns"]

# Channels routes ASGI applications here, where Django's own types know of views only.
websocket_urlpatterns: Final[list[URLPattern]] = [path("ws/", cast("Any", WebSocketConsumer.as_asgi()))]
