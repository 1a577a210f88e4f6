"""``async with serve(authenticate=..., host="127.0.0.1", port=8765) as server:`` and the same on a Unix socket."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Unpack

from websockets.asyncio import server as library
from websockets.asyncio.server import ServerConnection

from wsproto_core.asyncapi import HostFacts, Socket
from wsproto_core.autodiscover import base_packages_of, calling_module
from wsproto_core.errors import ConfigurationError
from wsproto_core.hub import Hub
from wsproto_core.security import ANY_ORIGIN
from wsproto_core.settings import Settings
from wsproto_websockets.connection import connection_class
from wsproto_websockets.opening import Opening
from wsproto_websockets.options import ServeOptions, split
from wsproto_websockets.server import Server

__all__ = ["serve", "unix_serve"]

log = logging.getLogger("wsproto_core.websockets")

_CLOSE_TIMEOUT: Final = 5.0  # seconds; as long as the other hosts wait for the answer to a close frame


def serve(
    host: str | None = None,
    port: int | None = None,
    *,
    path: str | None = None,
    hub: Hub | None = None,
    **options: Unpack[ServeOptions],
) -> Server:
    """Make a WebSocket server, which ``async with`` or ``await`` starts.

    The options that are no settings go on to ``websockets.asyncio.server.serve``. With us ``max_size`` is
    ``Limits.max_message_bytes`` by default, ``ping_interval`` ``Limits.heartbeat_interval`` where that is set, and
    ``close_timeout`` 5 seconds; ``origins`` takes the place of
    ``allowed_origins`` unless that is given too; a subprotocol of protocol section 5 comes before those of
    ``subprotocols`` and ``select_subprotocol``; the user name that ``process_request=basic_auth(...)`` finds is the
    user id, so that ``authenticate`` is not asked.

    Args:
        host: network interface to listen on; None is all of them.
        port: to listen on.
        path: where connections are taken; every other path is answered with 404. None takes them everywhere.
        hub: an existing hub, to share connections with another host; then no settings are taken.
        options: the settings of the hub, see `Settings`, and the options of the library.

    Raises:
        ConfigurationError: an option that is none, or a value that makes no sense.
    """
    if host is not None and not isinstance(host, (str, list, tuple)):
        raise ConfigurationError(
            f"serve() takes a host first, not {type(host).__name__}: there is no handler, declare actions with @action."
        )
    return _server(path, hub, options, {"host": host, "port": port})


def unix_serve(
    path: str | os.PathLike[str] | None = None,
    *,
    url_path: str | None = None,
    hub: Hub | None = None,
    **options: Unpack[ServeOptions],
) -> Server:
    """Make a WebSocket server that listens on a Unix socket; see `serve`.

    Args:
        path: of the socket in the file system, as in the library.
        url_path: where connections are taken; every other path is answered with 404. None takes them everywhere.
        hub: an existing hub, to share connections with another host; then no settings are taken.
        options: the settings of the hub, see `Settings`, and the options of the library.

    Raises:
        ConfigurationError: an option that is none, or a value that makes no sense.
    """
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(
            f"unix_serve() takes the path of a socket first, not {type(path).__name__}: there is no handler, declare "
            "actions with @action."
        )
    return _server(url_path, hub, options, {"unix": True, "path": path})


def _server(path: str | None, hub: Hub | None, options: Mapping[str, Any], address: Mapping[str, Any]) -> Server:
    settings, rest = split(options)
    if path is not None and not (isinstance(path, str) and path.startswith("/")):
        raise ConfigurationError(f"path must be None or a string that begins with a slash, not {path!r}.")
    if hub is not None and not isinstance(hub, Hub):
        raise ConfigurationError(f"hub must be a Hub or None, not {type(hub).__name__}.")
    if hub is not None and settings:
        raise ConfigurationError(f"With hub= the settings are the hub's own; remove {', '.join(sorted(settings))}.")
    if hub is not None and rest.get("origins") is not None:
        raise ConfigurationError(
            "With hub= the hub checks origins, by its allowed_origins; remove origins, and give the hub the pages that "
            "may connect."
        )
    if rest.get("origins") is not None:
        settings.setdefault("allowed_origins", ANY_ORIGIN)
    used = hub
    if used is None:
        used = Hub(Settings.of(settings))
        used.discover(base_packages_of(calling_module()))
    used.contract.add_host(HostFacts(sockets=lambda: [Socket(address=path or "/")]))
    opening = Opening(
        used,
        path,
        request_hook=rest.pop("process_request", None),
        response_hook=rest.pop("process_response", None),
        selector=rest.pop("select_subprotocol", None),
        own_subprotocols=rest.get("subprotocols") is not None,
    )
    rest.setdefault("max_size", used.limits.max_message_bytes)
    rest.setdefault("close_timeout", _CLOSE_TIMEOUT)
    if used.limits.heartbeat_interval is not None:
        rest.setdefault("ping_interval", used.limits.heartbeat_interval)
    if rest.get("ping_interval", ...) is None and used.limits.idle_timeout is None:
        log.warning(
            "clients that vanish without a word are never found: leave ping_interval on, or set Limits(idle_timeout=…)"
        )
    rest["create_connection"] = connection_class(rest.get("create_connection"))

    def start(handler: Callable[[ServerConnection], Awaitable[None]]) -> library.Server:
        return library.serve(
            handler,
            process_request=opening.process_request,
            process_response=opening.process_response,
            select_subprotocol=opening.select_subprotocol,
            **address,
            **rest,
        )

    return Server(start, used, opening, owns_hub=hub is None)
