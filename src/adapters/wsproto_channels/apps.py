"""The Django application: autodiscovery, checks, and settings that change under test."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.core.signals import setting_changed
from django.db.backends.signals import connection_created

from wsproto_channels import checks, configuration, databases

__all__ = ["WsprotoChannelsConfig"]


class WsprotoChannelsConfig(AppConfig):
    """Imports what the installed applications declare, once all of them are loaded."""

    name = "wsproto_channels"
    label = "wsproto_channels"
    verbose_name = "WebSocket actions and events"

    def ready(self) -> None:
        """Import ``actions``, ``events``, ``recipients`` and the same below ``ws`` of every installed application.

        Raises:
            Exception: whatever such a module raises when it is imported.
        """
        register(checks.check_settings)
        register(checks.check_asgi_application)
        register(checks.check_channel_layer)
        setting_changed.connect(configuration.forget_settings, dispatch_uid="wsproto_channels")
        connection_created.connect(databases.sweeper.note, dispatch_uid="wsproto_channels")
        configuration.discover()
