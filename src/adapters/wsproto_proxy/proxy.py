"""The proxy: an ASGI application, and a line in the routes of frameworks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Unpack

from wsproto_asgi.handshake import Receive, Scope, Send, info_from_scope, problem_response, refuse
from wsproto_asgi.signals import install_signal_handlers
from wsproto_core.admission import Denial, close_code_of
from wsproto_core.closing import CloseCode, close_reason
from wsproto_core.codec import TOKEN_MARKER
from wsproto_core.errors import HostError
from wsproto_core.handshake import path_below
from wsproto_core.origins import OriginPolicy
from wsproto_core.parent import ParentWatch
from wsproto_core.problems import Problem
from wsproto_core.security_log import SecurityLog
from wsproto_core.signals import DrainSignals
from wsproto_core.tasks import on_loop, resolved
from wsproto_core.transport import ConnectionInfo
from wsproto_proxy.headers import check_fixed, request_headers
from wsproto_proxy.over_asgi import AsgiClient, ClientLeftError, unless_client_leaves
from wsproto_proxy.relay import Client, Relay
from wsproto_proxy.settings import ProxyOptions, ProxySettings
from wsproto_proxy.targets import Target, parse_target, safe_path, safe_query
from wsproto_proxy.upstream import Upstream, hang_up, open_upstream

if TYPE_CHECKING:
    from flask import Flask
    from simple_websocket.ws import Server

__all__ = ["WebSocketProxy"]

log = logging.getLogger("wsproto_core.proxy")

TargetFunction = Callable[[ConnectionInfo], str | Awaitable[str]]


def _call(function: TargetFunction, info: ConnectionInfo) -> object:
    return function(info)


_MARGIN: Final = 5.0  # seconds that a drain may take beyond the closing handshakes


class WebSocketProxy:
    """A gateway from clients to a WebSocket service behind it.

    It is an ASGI application, to run or to mount: ``app.mount("/chat", WebSocketProxy("ws://chat.internal:8000"))``. In
    a route it is one line, `handle_websocket`, or in Flask `serve`.

    Args:
        target: where the service is, with ``ws://``, ``wss://`` or ``ws+unix://``; or a function, sync or async, that
            is given what a connection told about itself and returns that, or raises a `Problem` to refuse it.
        options: see `ProxySettings`.

    Raises:
        ConfigurationError: an option that is none, or a value that makes no sense.

    Attributes:
        settings: as given.
        draining: whether no more connections are taken.
    """

    def __init__(self, target: str | TargetFunction, **options: Unpack[ProxyOptions]) -> None:
        self.settings = ProxySettings.of(options)
        self.draining = False
        self._find: TargetFunction | None = target if callable(target) else None
        self._target = parse_target(target) if not callable(target) else None
        self._origins = OriginPolicy(self.settings.allowed_origins, required=self.settings.require_origin)
        self._security = SecurityLog()
        self._lock = threading.Lock()
        self._places = 0
        self._relays: set[Relay] = set()
        self._signals: DrainSignals | None = None
        self._parent: ParentWatch | None = None

    @property
    def connections(self) -> int:
        """How many clients there are, those on their way included."""
        return self._places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, request or lifespan (ASGI 3)."""
        match scope["type"]:
            case "websocket":
                await self._serve(scope, receive, send, {}, accepted=False)
            case "lifespan":
                await self._lifespan(receive, send)
            case "http":
                problem = Problem("This is a WebSocket endpoint; connect to it with ws:// or wss://.", status=426)
                status, headers, body = problem_response(problem, self._base_url, scope["path"])
                headers += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
            case kind:
                raise RuntimeError(f"WebSocketProxy serves websocket connections, not {kind!r}.")

    async def handle_websocket(self, websocket: Any, *, headers: Mapping[str, str] | None = None) -> None:
        """Serve a connection of a FastAPI or Starlette route to its end.

        One that is refused gets an HTTP response before it is accepted, and a close code where the route has accepted
        it already. Then it also has no subprotocol: with which one it was accepted, only the route knows.

        Args:
            websocket: of the route.
            headers: what the service is sent for this connection; they take the place of those that the client sent.

        Raises:
            HostError: not called with the WebSocket of a route.
            ConfigurationError: headers that are none, or a URL of the target function that is none.
        """
        scope = getattr(websocket, "scope", None)
        if not isinstance(scope, dict) or scope.get("type") != "websocket":
            raise HostError(f"handle_websocket takes the WebSocket of a route, not {type(websocket).__name__}.")
        # What the server gave the application; Starlette's own methods check each message once more.
        receive: Receive = getattr(websocket, "_receive", websocket.receive)
        send: Send = getattr(websocket, "_send", websocket.send)
        accepted = getattr(getattr(websocket, "application_state", None), "name", "") != "CONNECTING"
        await self._serve(scope, receive, send, headers or {}, accepted=accepted)

    def serve(self, websocket: Server, *, headers: Mapping[str, str] | None = None) -> None:
        """Serve a connection of a flask-sock route to its end.

        One that is refused gets an HTTP response before it is accepted if `init_app` or
        `wsproto_flask.configure_websocket` has prepared the application; else a close code.

        Args:
            websocket: of the route.
            headers: what the service is sent for this connection; they take the place of those that the client sent.

        Raises:
            HostError: not called with the WebSocket of a flask-sock route, or outside a request.
            HTTPException: the connection is refused; Flask makes the response of it.
            ConfigurationError: headers that are none, or a URL of the target function that is none.
        """
        from wsproto_proxy.over_flask import serve

        serve(self, websocket, headers or {})

    def init_app(self, app: Flask) -> None:
        """Prepare a Flask application: what is refused is refused before it is accepted, and signals begin the drain.

        Args:
            app: whose routes call `serve`. `wsproto_flask.configure_websocket` does the first half as well.

        Raises:
            ConfigurationError: no Flask application.
        """
        from wsproto_proxy.over_flask import init_app

        init_app(self, app)

    def install_signal_handlers(self) -> None:
        """Begin the drain at SIGTERM and SIGINT, if the settings say so and this is the main thread."""
        if self.settings.install_signal_handlers and self._signals is None:
            loop = asyncio.get_running_loop()
            self._signals = DrainSignals.install(self.drain, loop)
            self._parent = ParentWatch.follow(self.drain, loop)

    async def drain(self, code: int = CloseCode.SERVICE_RESTART, reason: str = "The gateway restarts.") -> None:
        """Take no more connections, and close all there are, at the same time.

        Args:
            code: that clients are closed with: 1001 or 1012. Services are closed with 1001.
            reason: for the close frame.
        """
        self.draining = True
        ending: list[Awaitable[None]] = []
        for relay in list(self._relays):
            try:
                ending.append(on_loop(relay.loop, relay.stopped(code, reason)))
            except RuntimeError:
                # Its loop has been closed under it, so nobody is there any more.
                self._relays.discard(relay)
        try:
            async with asyncio.timeout(2 * self.settings.close_timeout + _MARGIN):
                await asyncio.gather(*ending, return_exceptions=True)
        except TimeoutError:
            log.warning("%d connections did not end in time", len(self._relays))

    # What the hosts share

    async def open(
        self,
        info: ConnectionInfo,
        offered: tuple[str, ...],
        headers: Mapping[str, str],
        call: Callable[[TargetFunction, ConnectionInfo], object] = _call,
    ) -> tuple[Upstream, str | None]:
        """Decide about a connection, and open the one to the service; for hosts, which call `relay` or `leave` next.

        Args:
            info: what the client told.
            offered: the subprotocols that it offered, as they came.
            headers: what the route has the service told.
            call: calls the target function; what it gives may be awaitable.

        Returns:
            the connection to the service, and the subprotocol to answer the handshake with.

        Raises:
            Problem: the client is refused.
        """
        own = {**self.settings.headers, **check_fixed(headers)}
        self._look(info)
        self._take_place()
        try:
            target = await self._target_for(info, call)
            names = tuple(self.settings.forward_headers)
            passed = offered if "authorization" in names else info.subprotocols
            sent = request_headers(info, forward=names, own=own, trust_forwarded=self.settings.trust_forwarded)
            if not all(_is_token(name) for name in passed):
                raise Problem("Sec-WebSocket-Protocol is no list of tokens.", status=400)
            marker = TOKEN_MARKER if passed != offered and TOKEN_MARKER in passed else None
            # The token stays here, so its marker would mean nothing to the service.
            connection = await open_upstream(
                target, sent, tuple(name for name in passed if name != marker), self.settings
            )
        except BaseException:
            self._leave_place()
            raise
        return connection, connection.subprotocol or marker

    async def relay(self, client: Client, upstream: Upstream) -> None:
        """Pass messages on until both sides have ended."""
        relay = Relay(client, upstream, self.settings)
        self._relays.add(relay)
        try:
            if self.draining:
                relay.loop.call_soon(relay.stop, CloseCode.SERVICE_RESTART, "The gateway restarts.")
            await relay.run()
        finally:
            self._relays.discard(relay)
            self._leave_place()

    async def leave(self, upstream: Upstream) -> None:
        """End the connection to the service: its client has gone before it was accepted."""
        try:
            await hang_up(upstream, CloseCode.GOING_AWAY, "The client is gone.")
        finally:
            self._leave_place()

    async def _undo(self, opened: tuple[Upstream, str | None]) -> None:
        await self.leave(opened[0])

    @property
    def relays(self) -> frozenset[Relay]:
        """The connections that are open."""
        return frozenset(self._relays)

    @property
    def _base_url(self) -> str | None:
        return self.settings.problem_type_base_url

    def _look(self, info: ConnectionInfo) -> None:
        if self.draining:
            raise Problem("The gateway is going away.", code="unavailable")
        if not self._origins.allows(info):
            self._security.handshake(
                "origin",
                info,
                "origin refused: %r; expected %s. Allow it with allowed_origins=[…].",
                info.headers.get("origin"),
                self._origins.describe(info),
            )
            raise Problem("Pages of this origin may not connect here.", code="forbidden")

    def _take_place(self) -> None:
        most = self.settings.max_connections
        with self._lock:
            if most is None or self._places < most:
                self._places += 1
                return
        raise Problem("The gateway has as many connections as it takes.", code="unavailable")

    def _leave_place(self) -> None:
        with self._lock:
            self._places -= 1

    async def _target_for(
        self, info: ConnectionInfo, call: Callable[[TargetFunction, ConnectionInfo], object]
    ) -> Target:
        target = self._target
        if target is None and self._find is not None:
            target = parse_target(await resolved(call(self._find, info)))
        assert target is not None  # noqa: S101 - for type checkers: it is one or the other
        path = safe_path(_path_below_mount(info)) if self.settings.forward_path else ""
        query = safe_query(info.query) if self.settings.forward_query else ""
        return target.with_more(path, query)

    # ASGI

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str], *, accepted: bool
    ) -> None:
        install_signal_handlers(self)
        if not accepted:
            message = await receive()
            if message["type"] != "websocket.connect":
                return
        info = info_from_scope(scope)
        offered = () if accepted else tuple(scope.get("subprotocols") or ())
        opening = self.open(info, offered, headers)
        try:
            if accepted:
                upstream, subprotocol = await opening
            else:
                upstream, subprotocol = await unless_client_leaves(opening, receive, self._undo)
        except ClientLeftError:
            return
        except Problem as problem:
            await self._refuse(scope, send, problem, accepted=accepted)
            return
        if not accepted:
            try:
                await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
            except BaseException:
                await self.leave(upstream)
                raise
        client = AsgiClient(info, receive, send)
        try:
            await self.relay(client, upstream)
        except asyncio.CancelledError:
            if not await client.gave_up():
                raise

    async def _refuse(self, scope: Scope, send: Send, problem: Problem, *, accepted: bool) -> None:
        code = close_code_after_accept(problem)
        if not accepted:
            await refuse(scope, send, Denial(problem, code), self._base_url)
            return
        try:
            await send({"type": "websocket.close", "code": code, "reason": close_reason(problem.detail or "")})
        except Exception as error:
            log.debug("a refused connection was gone already", exc_info=error)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.draining = False
        install_signal_handlers(self)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.drain()
        if self._signals is not None:
            self._signals.uninstall()
            self._signals = None
        if self._parent is not None:
            self._parent.stop()
            self._parent = None
        await send({"type": "lifespan.shutdown.complete"})


def close_code_after_accept(problem: Problem) -> int:
    """Return the code that closes a connection that was accepted before it could be refused."""
    return int(CloseCode.TRY_AGAIN_LATER if problem.retryable else close_code_of(problem))


def _path_below_mount(info: ConnectionInfo) -> str:
    scope = info.extras.get("scope")
    root = scope.get("root_path", "") if scope is not None else info.extras.get("environ", {}).get("SCRIPT_NAME", "")
    return path_below(info.path, root)


def _is_token(name: str) -> bool:
    # RFC 9110 section 5.6.2: RFC 6455 wants the names of subprotocols to be tokens.
    return bool(name) and all(
        character.isascii() and (character.isalnum() or character in "!#$%&'*+-.^_`|~") for character in name
    )
