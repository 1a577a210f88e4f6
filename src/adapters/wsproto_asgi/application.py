"""A complete ASGI application: the socket, and nothing else."""

from __future__ import annotations

from typing import Unpack

from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import Receive, Scope, Send, info_from_scope, problem_response, refuse
from wsproto_asgi.lifespan import serve_lifespan
from wsproto_core.asyncapi import HostFacts, Socket
from wsproto_core.autodiscover import base_packages_of, calling_module
from wsproto_core.closing import CloseCode
from wsproto_core.errors import ConfigurationError
from wsproto_core.handshake import path_below
from wsproto_core.hub import Denial, Hub
from wsproto_core.problems import Problem
from wsproto_core.settings import HubOptions, Settings

__all__ = ["WebSocketApp"]


class WebSocketApp:
    """An ASGI application that serves WebSocket connections; run it, or mount it in another one.

    Over HTTP it answers with the AsyncAPI document, the page that shows it and the pages of problems, as the settings
    say, and else that there is nothing.

    Args:
        path: where connections are taken; every other path is answered with 404. None takes them everywhere. Below
            a mount, it is what follows the mount's own path.
        hub: an existing hub, to share connections with another host; then no options are taken.
        options: the settings of the hub, see `Settings`.

    Raises:
        ConfigurationError: a setting that makes no sense.
    """

    def __init__(self, *, path: str | None = None, hub: Hub | None = None, **options: Unpack[HubOptions]) -> None:
        if path is not None and not isinstance(path, str):
            raise ConfigurationError(f"path must be a string or None, not {type(path).__name__}.")
        if path is not None and not path.startswith("/"):
            raise ConfigurationError(f"path must begin with a slash: {'/' + path!r}.")
        if hub is not None and not isinstance(hub, Hub):
            raise ConfigurationError(f"hub must be a Hub or None, not {type(hub).__name__}.")
        if hub is not None and options:
            raise ConfigurationError(f"With hub= the settings are the hub's own; remove {', '.join(sorted(options))}.")
        self.path = path
        self.hub = hub if hub is not None else Hub(Settings.of(options))
        self.hub.contract.add_host(HostFacts(sockets=lambda: [Socket(address=path or "/")]))
        if hub is None:
            self.hub.discover(base_packages_of(calling_module()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, request or lifespan (ASGI 3)."""
        match scope["type"]:
            case "websocket" if self._is_here(scope):
                await run_websocket(self.hub, scope, receive, send)
            case "websocket":
                await receive()
                await refuse(scope, send, Denial(Problem(status=404), CloseCode.POLICY_VIOLATION), self._base_url)
            case "lifespan":
                await serve_lifespan(self.hub, receive, send)
            case "http":
                await self._answer(scope, send)
            case kind:
                raise RuntimeError(f"WebSocketApp serves websocket connections, not {kind!r}.")

    def _is_here(self, scope: Scope) -> bool:
        return self.path is None or _path_in(scope) == self.path

    @property
    def _base_url(self) -> str | None:
        return self.hub.settings.problem_type_base_url

    async def _answer(self, scope: Scope, send: Send) -> None:
        """Answer an HTTP request: with a document, or that there is nothing for HTTP (RFC 9110 section 15.5.22)."""
        shown = await self.hub.site.answer(
            _path_in(scope),
            info_from_scope(scope),
            method=scope.get("method", "GET"),
            root_path=scope.get("root_path", "").rstrip("/"),
        )
        if shown is not None:
            fields = [(name.encode(), value.encode("latin-1")) for name, value in shown.headers]
            await send({"type": "http.response.start", "status": shown.status, "headers": fields})
            await send({"type": "http.response.body", "body": shown.body})
            return
        more = []
        if self._is_here(scope):
            problem = Problem("This is a WebSocket endpoint; connect to it with ws:// or wss://.", status=426)
            more = [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
        else:
            problem = Problem(status=404)
        status, headers, body = problem_response(problem, self._base_url, scope["path"])
        await send({"type": "http.response.start", "status": status, "headers": headers + more})
        await send({"type": "http.response.body", "body": body})


def _path_in(scope: Scope) -> str:
    """Return the path without what of it belongs to a mount, which a mounted application is given too (ASGI)."""
    return path_below(scope["path"], scope.get("root_path", ""))
