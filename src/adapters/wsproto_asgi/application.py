"""A complete ASGI application: the socket, and nothing else."""

from __future__ import annotations

from typing import Unpack

from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import Receive, Scope, Send, problem_response, refuse
from wsproto_asgi.signals import install_signal_handlers
from wsproto_core.autodiscover import base_packages_of, calling_module
from wsproto_core.closing import CloseCode
from wsproto_core.errors import ConfigurationError
from wsproto_core.hub import Denial, Hub
from wsproto_core.problems import Problem
from wsproto_core.settings import HubOptions, Settings

__all__ = ["WebSocketApp"]


class WebSocketApp:
    """An ASGI application that serves WebSocket connections; run it, or mount it in another one.

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
                await self._lifespan(receive, send)
            case "http":
                await self._answer(scope, send)
            case kind:
                raise RuntimeError(f"WebSocketApp serves websocket connections, not {kind!r}.")

    def _is_here(self, scope: Scope) -> bool:
        # A mounted application is given the whole path, and what of it belongs to the mount (ASGI, "root_path").
        return self.path is None or scope["path"].removeprefix(scope.get("root_path", "")) == self.path

    @property
    def _base_url(self) -> str | None:
        return self.hub.settings.problem_type_base_url

    async def _answer(self, scope: Scope, send: Send) -> None:
        """Answer an HTTP request: there is nothing here, or nothing for HTTP (RFC 9110 section 15.5.22)."""
        more = []
        if self._is_here(scope):
            problem = Problem("This is a WebSocket endpoint; connect to it with ws:// or wss://.", status=426)
            more = [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
        else:
            problem = Problem(status=404)
        status, headers, body = problem_response(problem, self._base_url, scope["path"])
        await send({"type": "http.response.start", "status": status, "headers": headers + more})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.hub.start()
            install_signal_handlers(self.hub)
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.hub.stop()
        await send({"type": "lifespan.shutdown.complete"})
