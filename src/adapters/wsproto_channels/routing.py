"""The URL patterns of a project that has one socket, for users who are logged in: ``ws/``."""

from typing import Any, Final

from django.urls import path

from wsproto_channels.consumer import WebSocketConsumer

__all__ = ["websocket_urlpatterns"]

websocket_urlpatterns: Final[list[Any]] = [path("ws/", WebSocketConsumer.as_asgi())]
