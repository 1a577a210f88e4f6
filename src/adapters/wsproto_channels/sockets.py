"""Where the sockets of a project are: what its ASGI application routes to consumers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings as django_settings
from django.contrib.admindocs.utils import replace_metacharacters, replace_named_groups, replace_unnamed_groups
from django.utils.module_loading import import_string

from wsproto_core.asyncapi import Socket
from wsproto_core.asyncapi.security import scheme_of

__all__ = ["sockets_of_project"]

_PARAMETER: Final = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")
_MOST_LAYERS: Final = 32  # of middlewares around one another
_INNER: Final = ("inner", "application", "app")  # what middlewares of Channels, of ASGI and ours call what is inside

_Security = Mapping[str, Mapping[str, Any]]


def sockets_of_project() -> list[Socket]:
    """Return the sockets of the application that ``ASGI_APPLICATION`` names; none where it cannot be imported."""
    try:
        application = import_string(django_settings.ASGI_APPLICATION)
    except (ImportError, AttributeError, TypeError):
        return []
    return list(_sockets_in(application, "/", {}))


def _sockets_in(application: Any, prefix: str, security: _Security) -> Iterator[Socket]:
    from wsproto_channels.consumer import WebSocketConsumer

    application, security = _unwrapped(application, security)
    if isinstance(application, ProtocolTypeRouter):
        yield from _sockets_in(application.application_mapping.get("websocket"), prefix, security)
    elif isinstance(application, URLRouter):
        routes: Any = application.routes
        for route in routes:
            address = prefix + _address_of(route.pattern)
            yield from _sockets_in(getattr(route, "callback", None), address, security)
    elif application is not None:
        consumer = getattr(application, "consumer_class", None)
        ours = isinstance(consumer, type) and issubclass(consumer, WebSocketConsumer)
        named = consumer if consumer is not None else application
        own = ours and consumer is not WebSocketConsumer
        yield Socket(
            address=prefix,
            foreign=not ours,
            title=getattr(named, "__name__", None) if named is not WebSocketConsumer else None,
            description=inspect.cleandoc(named.__dict__.get("__doc__") or "") or None if own else None,
            security=security if ours else {},
        )


def _unwrapped(application: Any, security: _Security) -> tuple[Any, _Security]:
    """Return what is inside of middlewares, and what lets in there."""
    for _ in range(_MOST_LAYERS):
        found = {each.__name__ for each in type(application).__mro__}
        if "AccessTokenAuthMiddleware" in found:
            security = {**security, "subprotocol": scheme_of("subprotocol")}
        elif "SessionMiddleware" in found:
            cookie = {**scheme_of("cookie"), "name": django_settings.SESSION_COOKIE_NAME}
            security = {**security, "cookie": cookie}
        if isinstance(application, (ProtocolTypeRouter, URLRouter)) or hasattr(application, "consumer_class"):
            break
        inner = next(
            (getattr(application, name) for name in _INNER if callable(getattr(application, name, None))), None
        )
        if inner is None:
            break
        application = inner
    return application, security


def _address_of(pattern: Any) -> str:
    text = str(pattern)
    if hasattr(pattern, "_regex"):
        text = replace_metacharacters(replace_unnamed_groups(replace_named_groups(text)))
    return _PARAMETER.sub(r"{\1}", text).lstrip("/")
