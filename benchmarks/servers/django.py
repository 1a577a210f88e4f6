"""The least of a Django project: no database, a channel layer in memory, and a user who is logged in already."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings

from benchmarks.wire import USER_ID

Application = Callable[..., Awaitable[None]]

USER = SimpleNamespace(id=USER_ID, pk=USER_ID, is_authenticated=True)


def set_up(*applications: str, **more: Any) -> None:
    """Configure Django. The consumers of an application are imported after this."""
    layers = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.configure(INSTALLED_APPS=list(applications), CHANNEL_LAYERS=layers, USE_TZ=True, **more)
    django.setup()


def logged_in(inner: Application) -> Application:
    """Put the user into the scope, as a middleware for sessions does."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await inner({**scope, "user": USER}, receive, send)

    return app
