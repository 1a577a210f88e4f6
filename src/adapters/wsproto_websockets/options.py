"""What `serve` takes: the settings of a hub, and the options of the websockets library and of the event loop."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
import ssl as tls
from collections.abc import Mapping, Sequence
from typing import Any, Final

from websockets.asyncio import server as library
from websockets.asyncio.server import ServerConnection
from websockets.extensions.base import ServerExtensionFactory
from websockets.typing import LoggerLike, Origin, Subprotocol

from wsproto_core.settings import HubOptions
from wsproto_websockets.compatibility import check_names
from wsproto_websockets.opening import ProcessRequest, ProcessResponse, SelectSubprotocol

__all__ = ["ServeOptions", "split"]

_Limit = int | None | tuple[int | None, int | None]


class ServeOptions(HubOptions, total=False):
    """The keyword arguments of `serve` beside host, port, path and hub.

    Those of the library mean what its documentation says; `serve` says where our defaults differ.
    """

    origins: Sequence[Origin | re.Pattern[str] | None] | None
    extensions: Sequence[ServerExtensionFactory] | None
    subprotocols: Sequence[Subprotocol] | None
    select_subprotocol: SelectSubprotocol | None
    compression: str | None
    process_request: ProcessRequest | None
    process_response: ProcessResponse | None
    server_header: str | None
    open_timeout: float | None
    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float | None
    max_size: _Limit
    max_queue: _Limit
    write_limit: int | tuple[int, int | None]
    logger: LoggerLike | None
    create_connection: type[ServerConnection] | None
    sock: socket.socket | None
    backlog: int
    family: int
    flags: int
    reuse_address: bool | None
    reuse_port: bool | None
    keep_alive: bool | None
    ssl: tls.SSLContext | None
    ssl_handshake_timeout: float | None
    ssl_shutdown_timeout: float | None
    start_serving: bool
    cleanup_socket: bool


_HUB: Final = frozenset(HubOptions.__annotations__)
_OWN: Final = frozenset({"host", "port", "path", "hub"})


def _names(function: Any) -> frozenset[str]:
    kinds = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return frozenset(name for name, each in inspect.signature(function).parameters.items() if each.kind in kinds)


# Asked of the library and of Python, so that what a newer release brings can be used at once.
_LIBRARY: Final = (
    _names(library.serve)
    | _names(asyncio.BaseEventLoop.create_server)
    | _names(getattr(asyncio.SelectorEventLoop, "create_unix_server", asyncio.BaseEventLoop.create_server))
) - {"self", "handler", "protocol_factory", "unix"}


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the hub, and those of the library.

    Raises:
        ConfigurationError: an option that is none, with what was probably meant.
    """
    check_names(options, _HUB | _LIBRARY | _OWN)
    ours = {name: value for name, value in options.items() if name in _HUB}
    return ours, {name: value for name, value in options.items() if name not in _HUB}
