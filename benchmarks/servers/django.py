"""The least of a Django project: no database, a channel layer in memory, and a user who is logged in already."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings

from benchmarks.engines import url
from benchmarks.wire import USER_ID

Application = Callable[..., Awaitable[None]]

USER = SimpleNamespace(id=USER_ID, pk=USER_ID, is_authenticated=True)


MEMORY: dict[str, Any] = {"BACKEND": "channels.layers.InMemoryChannelLayer"}


def set_up(*applications: str, layer: dict[str, Any] = MEMORY, **more: Any) -> None:
    """Configure Django. The consumers of an application are imported after this."""
    settings.configure(INSTALLED_APPS=list(applications), CHANNEL_LAYERS={"default": layer}, USE_TZ=True, **more)
    django.setup()


def redis_layer(name: str) -> dict[str, Any]:
    """A layer of channels_redis, with room for a burst: by default it drops what is over a hundred messages.

    redis-py 8 gives up after five seconds of silence, which is how long the core layer has Redis wait.
    """
    host = {"address": url(), "socket_timeout": 60}
    return {"BACKEND": f"channels_redis.{name}", "CONFIG": {"hosts": [host], "capacity": 100_000}}


def logged_in(inner: Application) -> Application:
    """Put the user into the scope, as a middleware for sessions does."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await inner({**scope, "user": USER}, receive, send)

    return app
