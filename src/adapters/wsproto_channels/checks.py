"""System checks: what ``manage.py check`` says about the set-up, each with the way out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core import mail
from django.core.checks import CheckMessage, Error, Warning

from wsproto_channels.configuration import SETTING, THREAD_SENSITIVE, read_settings
from wsproto_core.errors import ConfigurationError

__all__ = ["check_asgi_application", "check_channel_layer", "check_settings"]

_IN_MEMORY = "channels.layers.InMemoryChannelLayer"


def check_settings(**_: Any) -> list[CheckMessage]:
    """Find settings that make no sense."""
    try:
        thread_sensitive = read_settings()[1]
    except ConfigurationError as error:
        return [
            Error(str(error), hint=f"Correct {SETTING} in the settings; no socket is served before.", id="wsproto.E001")
        ]
    if thread_sensitive and not django_settings.DEBUG:
        return [
            Warning(
                f"{SETTING}[{THREAD_SENSITIVE!r}] is on, so plain-function actions run one after the other.",
                hint="Set it only for tests that keep what they do in a transaction.",
                id="wsproto.W001",
            )
        ]
    return []


def check_asgi_application(**_: Any) -> list[CheckMessage]:
    """Find a project that would not serve sockets while it is developed."""
    if getattr(django_settings, "ASGI_APPLICATION", None):
        return []
    return [
        Warning(
            "ASGI_APPLICATION is not set, so `runserver` serves no WebSocket connections.",
            hint='Set ASGI_APPLICATION = "project.asgi.application", with a ProtocolTypeRouter that routes "websocket" '
            'to wsproto_channels.routing.websocket_urlpatterns, and put "daphne" first in INSTALLED_APPS.',
            id="wsproto.W002",
        )
    ]


def check_channel_layer(**_: Any) -> list[CheckMessage]:
    """Find a project whose processes do not hear of each other's events."""
    given = getattr(django_settings, SETTING, {})
    if isinstance(given, Mapping) and given.get("BACKPLANE") is not None:
        return []  # whoever chooses knows
    layers: Mapping[str, Any] = getattr(django_settings, "CHANNEL_LAYERS", None) or {}
    layer = layers.get("default")
    if layer is None:
        return [
            Warning(
                "CHANNEL_LAYERS has no 'default', so events reach only clients of the process that emits them.",
                hint="Configure a layer such as channels_redis.core.RedisChannelLayer; or, for a project that is "
                f'one process, say so: {SETTING} = {{"BACKPLANE": "memory://"}}.',
                id="wsproto.W003",
            )
        ]
    if layer.get("BACKEND") == _IN_MEMORY and _is_served_by_several():
        return [
            Warning(
                "The in-memory channel layer connects no processes, so with several workers events get lost.",
                hint="Use a layer that does, such as channels_redis.core.RedisChannelLayer; or, for a project that is "
                f'one process, say so: {SETTING} = {{"BACKPLANE": "channels://default"}}.',
                id="wsproto.W004",
            )
        ]
    return []


def _is_served_by_several() -> bool:
    """Say whether there are, or will be, several processes: in production, or when the servers are told so."""
    workers = os.environ.get("WEB_CONCURRENCY", "")  # of uvicorn and gunicorn
    if workers.isdecimal() and int(workers) > 1:
        return True
    # Django's test environment, which is known by its outbox, has DEBUG off and is one process.
    return not django_settings.DEBUG and not hasattr(mail, "outbox")
