"""The side of the client in Flask: its thread waits, and the loop thread of the process does the work.

The frames are `wsproto_flask`'s, and so is the socket that is lent until it is known whether there is a service at all.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, current_app, request
from simple_websocket.ws import Server
from werkzeug.exceptions import HTTPException

from wsproto_core.blocking import loop_thread
from wsproto_core.closing import CloseCode, close_reason
from wsproto_core.errors import ConfigurationError
from wsproto_core.problems import Problem
from wsproto_core.tasks import call_on
from wsproto_core.threaded_outbox import Closing
from wsproto_core.transport import ConnectionInfo
from wsproto_flask.configuration import hold_handshake, is_websocket_route, release_handshake
from wsproto_flask.endpoint import check_route, finish, transport_of
from wsproto_flask.frames import FrameTransport
from wsproto_flask.handshake import info_of, problem_answer
from wsproto_flask.lending import LentSocket, lent_of
from wsproto_flask.signals import DrainWays, drain_at_exit
from wsproto_proxy.stints import Stint

if TYPE_CHECKING:
    from wsproto_proxy.proxy import TargetFunction, WebSocketProxy

__all__ = ["FlaskClient", "init_app", "serve"]

log = logging.getLogger("wsproto_core.proxy")

_PING_INTERVAL: Final = 25.0  # seconds, unless flask-sock was told otherwise
_CLOSE_HANDSHAKE: Final = 5.0  # seconds that the client has to answer our close frame
_PREPARED: Final = "wsproto_proxy"


class FlaskClient:
    """A client whose handshake was answered; see `wsproto_proxy.relay.Client`. Lives on the loop thread.

    Args:
        transport: its frames.
        lent: its socket; simple-websocket's thread may still be reading it.
        ping_interval: seconds between pings that find clients that vanished.
    """

    def __init__(self, transport: FrameTransport, lent: LentSocket, ping_interval: float | None) -> None:
        self.end = int(CloseCode.ABNORMAL), ""
        self._transport = transport
        self._lent = lent
        self._loop = asyncio.get_running_loop()
        self._fileno = transport.fileno()
        self._ready: deque[str | bytes] = deque()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._gave_up = False
        self._watch: asyncio.TimerHandle | None = None
        self._ping_interval = ping_interval
        self._ping = self._loop.call_later(ping_interval, self._beat) if ping_interval else None
        transport.pings = bool(ping_interval)
        lent.call_when_left(lambda: call_on(self._loop, self._news.set))

    async def receive(self) -> str | bytes | None:
        """Return the next message; None once the connection has ended."""
        stint = Stint()
        while not self._ready and not self._gave_up:
            messages = self._transport.receive(wait=False)
            if messages is None:
                await self._settle()
                break
            self._ready.extend(messages)
            if self._transport.due and not self._turn.locked():
                # And then it may have ended.
                await self._answer_ping()
                await stint.step()
            elif not messages:
                await self._wait_readable()
        if self._ready:
            return self._ready.popleft()
        self._finish()
        return None

    async def send(self, frame: str | bytes) -> None:
        """Write one message; wait while the client does not read."""
        await self._write(frame)

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; nobody reads any more if it is not answered in time."""
        if self._watch is None:
            self._watch = self._loop.call_later(_CLOSE_HANDSHAKE, self._give_up)
        await self._write(Closing(int(code), reason))

    async def _write(self, frame: str | bytes | Closing | None) -> None:
        async with self._turn:
            # Whoever wrote before may have been cancelled in the middle of a frame.
            await self._write_rest(self._transport.write_more())
            await self._write_rest(self._transport.write(frame))
            while self._transport.due:
                await self._write_rest(self._transport.write(None))

    async def _answer_ping(self) -> None:
        try:
            await self._write(None)
        except OSError as error:
            # Its end is what is read next.
            log.debug("a client was gone before its ping was answered", exc_info=error)

    async def _write_rest(self, done: bool) -> None:
        while not done:
            writable = self._loop.create_future()
            self._loop.add_writer(self._fileno, _resolve, writable)
            try:
                await writable
            finally:
                self._loop.remove_writer(self._fileno)
            done = self._transport.write_more()

    async def _wait_readable(self) -> None:
        # As long as simple-websocket's thread reads, its end is the news.
        watched = self._lent.has_left
        if watched:
            self._loop.add_reader(self._fileno, self._news.set)
        try:
            await self._news.wait()
        finally:
            if watched:
                self._loop.remove_reader(self._fileno)
        self._news.clear()

    async def _settle(self) -> None:
        """Answer the close frame of the client, if that is how it ended."""
        if self._transport.due:
            try:
                async with asyncio.timeout(_CLOSE_HANDSHAKE):
                    await self._write(None)
            except OSError:
                # Of which the end of the time is one.
                return

    def _finish(self) -> None:
        if not self._gave_up:
            self.end = self._transport.close_code, self._transport.close_reason
        for timer in (self._watch, self._ping):
            if timer is not None:
                timer.cancel()

    def _give_up(self) -> None:
        self._gave_up = True
        # Whoever waits to write to a client that does not read is let go.
        self._transport.drop()
        self._news.set()

    def _beat(self) -> None:
        # What has come and was not read yet is our delay, and no silence.
        if not self._transport.alive and not self._transport.has_unread():
            self._give_up()
            return
        self._transport.alive = False
        self._transport.ping()
        self._news.set()
        self._ping = self._loop.call_later(self._ping_interval or _PING_INTERVAL, self._beat)


def init_app(proxy: WebSocketProxy, app: Flask) -> None:
    """Prepare an application; see `WebSocketProxy.init_app`."""
    if not isinstance(app, Flask):
        raise ConfigurationError(f"init_app takes a Flask application, not {type(app).__name__}.")
    if _PREPARED not in app.extensions:
        app.extensions[_PREPARED] = proxy
        base_url = proxy.settings.problem_type_base_url

        def before() -> Response | None:
            return hold_handshake(base_url, None) if is_websocket_route() else None

        app.before_request(before)
        app.teardown_request(release_handshake)
    if proxy.settings.install_signal_handlers:
        drain_at_exit(proxy, _WAYS)


def serve(proxy: WebSocketProxy, websocket: Server, headers: Mapping[str, str]) -> None:
    """Serve a connection to its end; see `WebSocketProxy.serve`."""
    check_route(websocket, "serve")
    lent = lent_of(websocket)
    info = info_of(request)
    transport = transport_of(websocket, lent, info, proxy.settings.max_message_bytes)
    held = lent.is_held
    try:
        upstream, subprotocol = loop_thread.run(proxy.open(info, _offered(websocket, held), headers, _in_thread()))
    except Problem as problem:
        if lent.refuse():
            answer = problem_answer(problem, proxy.settings.problem_type_base_url, info)
            raise HTTPException(response=answer) from problem
        _tell(transport, problem)
    except BaseException:
        lent.refuse()
        raise
    else:
        ping = current_app.config.get("SOCK_SERVER_OPTIONS", {}).get("ping_interval", _PING_INTERVAL)

        async def run() -> None:
            await proxy.relay(FlaskClient(transport, lent, ping), upstream)

        try:
            if held:
                lent.answer_with(subprotocol)
            lent.take()
        except OSError:
            # The client has gone while the service was asked for.
            loop_thread.run(proxy.leave(upstream))
            return
        loop_thread.run(run())
    finish(websocket, transport)


def _offered(websocket: Any, held: bool) -> tuple[str, ...]:
    """Return the subprotocols that the service may choose from; one that was answered already is all there is."""
    if not held:
        return (websocket.subprotocol,) if websocket.subprotocol else ()
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return tuple(name.strip() for name in offered.split(",") if name.strip())


def _in_thread() -> Any:
    """Return what calls a function in a thread, where it may block, with the context of this request."""
    context = contextvars.copy_context()

    def call(function: TargetFunction, info: ConnectionInfo) -> object:
        return asyncio.get_running_loop().run_in_executor(None, lambda: context.run(function, info))

    return call


def _tell(transport: FrameTransport, problem: Problem) -> None:
    """Refuse a connection that was accepted already."""
    from wsproto_proxy.proxy import close_code_after_accept

    try:
        transport.write(Closing(close_code_after_accept(problem), close_reason(problem.detail or "")))
    except OSError:
        return


def _begin(proxy: WebSocketProxy) -> bool:
    proxy.draining = True
    return bool(proxy.relays)


def _cut(proxy: WebSocketProxy) -> None:
    for relay in proxy.relays:
        call_on(relay.loop, relay.stop, CloseCode.SERVICE_RESTART, "The gateway restarts.")


_WAYS: Final = DrainWays(_begin, lambda proxy: proxy.drain(), _cut)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
