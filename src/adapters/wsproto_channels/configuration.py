"""The settings ``WSPROTO`` of a Django project, and the hub of the process that is made of them."""

from __future__ import annotations

import difflib
import inspect
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from wsproto_channels.backplane import ChannelLayerBackplane
from wsproto_channels.databases import clean_connections
from wsproto_channels.sockets import sockets_of_project
from wsproto_channels.threads import HandlerThreads, in_thread
from wsproto_core.asyncapi import HostFacts
from wsproto_core.autodiscover import autodiscover
from wsproto_core.errors import ConfigurationError
from wsproto_core.hub import Hub
from wsproto_core.limits import Limits
from wsproto_core.settings import Settings
from wsproto_core.transport import Surroundings

__all__ = ["Configured", "configured", "discover", "forget_settings", "get_hub", "read_settings"]

SETTING: Final = "WSPROTO"
THREAD_SENSITIVE: Final = "THREAD_SENSITIVE"
CHANNELS_SCHEME: Final = "channels://"

_HOOKS: Final = ("authenticate", "authorize_docs", "authorize_subscribe", "on_connect", "on_disconnect")


@dataclass(frozen=True, slots=True)
class Configured:
    """What the settings were made into.

    Attributes:
        hub: of this process.
        surroundings: what handlers find around them.
        thread_sensitive: whether plain functions run in Django's one thread for such, instead of several.
    """

    hub: Hub
    surroundings: Surroundings
    thread_sensitive: bool


class _State:
    """What there is once in a process: the hub, and whether somebody mounted it before Django was set up."""

    lock: Final = threading.Lock()
    configured: Configured | None = None
    mounted: bool = False


def get_hub() -> Hub:
    """Return the hub of this process; it is made when it is first asked for.

    Raises:
        ImproperlyConfigured: a setting that makes no sense.
    """
    return configured().hub


def configured() -> Configured:
    """Return what the settings were made into; see `get_hub`."""
    if _State.configured is None:
        with _State.lock:
            if _State.configured is None:
                _State.configured = _configure()
    return _State.configured


def mounted() -> None:
    """Note that somebody serves sockets, so that wrong settings are told when the server starts.

    Raises:
        ImproperlyConfigured: a setting that makes no sense.
    """
    _State.mounted = True
    if apps.ready:
        configured()


def forget_settings(*, setting: str, **_: object) -> None:
    """Make a new hub when it is next asked for, after a setting was changed by a test."""
    if setting in {SETTING, "CHANNEL_LAYERS"}:
        with _State.lock:
            _State.configured = None


def discover() -> None:
    """Import the conventional modules of every installed application, once Django is set up."""
    try:
        settings = read_settings()[0]
    except ConfigurationError as error:
        if _State.mounted:
            raise ImproperlyConfigured(str(error)) from error
        return  # `manage.py check` tells it better than a traceback, and the server when the socket is mounted
    if settings.autodiscover:
        names = [config.name for config in apps.get_app_configs()]
        autodiscover(names, settings.autodiscover_modules, settings.autodiscover_packages)


def read_settings() -> tuple[Settings, bool]:
    """Return the settings of the hub, and whether plain functions run in Django's one thread for such.

    Raises:
        ConfigurationError: a setting that makes no sense; the message names it and the way out.
    """
    options = _options(getattr(django_settings, SETTING, {}))
    thread_sensitive = options.pop(THREAD_SENSITIVE.lower(), False)
    if not isinstance(thread_sensitive, bool):
        raise ConfigurationError(f"{SETTING}: {THREAD_SENSITIVE} must be True or False, not {thread_sensitive!r}.")
    try:
        for name in (*_HOOKS, "registry"):
            options[name] = _imported(name, options.get(name))
        for name in _HOOKS:
            options[name] = _hook(options[name], thread_sensitive)
        options["limits"] = _limits(options.get("limits", Limits()))
        options["backplane"] = _backplane(options.get("backplane"))
        return Settings.of(options), thread_sensitive
    except ConfigurationError as error:
        raise ConfigurationError(f"{SETTING}: {error}") from error


def _configure() -> Configured:
    try:
        settings, thread_sensitive = read_settings()
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from error
    hub = Hub(settings)
    hub.contract.add_host(HostFacts(sockets=sockets_of_project))
    executor = HandlerThreads(lambda: hub.workers, thread_sensitive=thread_sensitive)
    return Configured(hub, Surroundings(around=clean_connections, executor=executor), thread_sensitive)


def _options(given: object) -> dict[str, Any]:
    """Return the settings by the names that they have elsewhere: in lower case."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{SETTING} must be a dict, not {type(given).__name__}.")
    known = [THREAD_SENSITIVE, *(each.name.upper() for each in fields(Settings))]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name).upper(), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(known)}."
            raise ConfigurationError(f"{SETTING}: there is no setting {name!r}.{hint}")
    return {name.lower(): value for name, value in given.items()}


def _imported(name: str, value: object) -> object:
    """Return what a dotted path names: settings are read before models are, so they cannot import it themselves."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ConfigurationError(f"{name.upper()}: {value!r} cannot be imported: {error}.") from error


def _hook(hook: Any, thread_sensitive: bool) -> Any:
    """Let a plain function use the database: Django forbids that on the event loop."""
    if not callable(hook) or inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__):
        return hook
    return in_thread(hook, thread_sensitive=thread_sensitive)


def _limits(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    known = [each.name.upper() for each in fields(Limits)]
    for name in value:
        if name not in known:
            close = difflib.get_close_matches(str(name).upper(), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(known)}."
            raise ConfigurationError(f"LIMITS: there is no limit {name!r}.{hint}")
    return Limits(**{name.lower(): limit for name, limit in value.items()})


def _backplane(value: object) -> object:
    """Return the backplane that is configured; by default the channel layer, where there is one."""
    layers: Mapping[str, Any] = getattr(django_settings, "CHANNEL_LAYERS", None) or {}
    if value is None:
        return ChannelLayerBackplane() if "default" in layers else "memory://"
    if isinstance(value, str) and value.startswith(CHANNELS_SCHEME):
        alias = value.removeprefix(CHANNELS_SCHEME)
        if alias not in layers:
            raise ConfigurationError(f"BACKPLANE: there is no channel layer {alias!r} in CHANNEL_LAYERS.")
        return ChannelLayerBackplane(alias)
    if isinstance(value, str) and "://" not in value:
        value = _imported("backplane", value)
        return value() if inspect.isclass(value) else value
    return value
