"""A hub for an application, started and stopped with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, Unpack

from starlette.applications import Starlette

from wsproto_asgi.signals import install_signal_handlers
from wsproto_core.autodiscover import base_packages_of, calling_module
from wsproto_core.errors import ConfigurationError
from wsproto_core.hub import Hub
from wsproto_core.settings import HubOptions, Settings
from wsproto_fastapi.documents import show_documents
from wsproto_fastapi.problems import answer_problems

__all__ = ["configure_websocket", "hub_of"]

_STATE: Final = "wsproto_hub"
_lock: Final = threading.Lock()


def configure_websocket(app: Starlette, **options: Unpack[HubOptions]) -> Hub:
    """Give an application its hub, and import the modules where its actions are declared.

    A `Problem` that a dependency or an HTTP route raises is answered as one, unless the application says otherwise. The
    AsyncAPI document is served at ``/asyncapi.json``, and the page that shows it at ``/asyncapi``, as the settings say.

    The hub is drained and stopped with the application, whether or not that has a lifespan of its own. Where a lifespan
    never runs, as in a mounted sub-application, it starts when it is first used.

    Args:
        app: a FastAPI or Starlette application.
        options: the settings, see `wsproto_core.Settings`.

    Raises:
        ConfigurationError: a setting that makes no sense, no application, or one that was configured before.
    """
    if not isinstance(app, Starlette):
        raise ConfigurationError(
            f"configure_websocket takes a FastAPI or Starlette application, not {type(app).__name__}."
        )
    if hasattr(app.state, _STATE):
        raise ConfigurationError("configure_websocket was called for this application already; call it once.")
    hub = Hub(Settings.of(options))
    hub.discover(base_packages_of(calling_module()))
    setattr(app.state, _STATE, hub)
    _follow_lifespan(app, hub)
    answer_problems(app, hub)
    show_documents(app, hub)
    return hub


def hub_of(app: Any) -> Hub:
    """Return the hub of an application: the configured one, else one with the defaults, which is made now."""
    hub = getattr(app.state, _STATE, None)
    if hub is None:
        with _lock:
            hub = getattr(app.state, _STATE, None)
            if hub is None:
                hub = Hub()
                setattr(app.state, _STATE, hub)
    if not isinstance(hub, Hub):
        raise ConfigurationError(f"app.state.{_STATE} belongs to wsproto-core, and holds {type(hub).__name__}.")
    return hub


def _follow_lifespan(app: Starlette, hub: Hub) -> None:
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncGenerator[Any]:
        async with own(application) as state:
            hub.start()
            install_signal_handlers(hub)
            try:
                yield state
            finally:
                await hub.stop()

    app.router.lifespan_context = lifespan
