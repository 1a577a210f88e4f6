"""The server: what the websockets library's gives, with the hub behind it and the drain before its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import Self

from websockets.asyncio import server as library
from websockets.asyncio.server import ServerConnection

from wsproto_core.closing import CloseCode
from wsproto_core.errors import HostError
from wsproto_core.hub import Hub
from wsproto_core.session import Session
from wsproto_websockets.connection import WebSocketsTransport, read
from wsproto_websockets.opening import Opening

__all__ = ["Server"]


class Server:
    """A server of the websockets library whose connections belong to a hub. Made by `serve`.

    It is started by ``await`` or ``async with``; the latter closes it, too. Iterating over it gives the open
    connections of the library, each with its ``latency``; `Hub.connections` has the other side of them.

    Args:
        start: makes the library's server, given the handler of its connections.
        hub: that they belong to.
        opening: decides about their handshakes.
        owns_hub: whether the hub ends with the server.

    Attributes:
        hub: that the connections belong to.
    """

    def __init__(
        self,
        start: Callable[[Callable[[ServerConnection], Awaitable[None]]], library.Server],
        hub: Hub,
        opening: Opening,
        *,
        owns_hub: bool,
    ) -> None:
        self.hub = hub
        self._start_library = start
        self._opening = opening
        self._owns_hub = owns_hub
        self._library: library.Server | None = None
        self._sessions: set[Session] = set()
        self._starting = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def connections(self) -> set[ServerConnection]:
        """The open connections, as the library has them."""
        return self._started.connections if self._library is not None else set()

    @property
    def websockets(self) -> set[ServerConnection]:
        """The open connections, under the name that they had once."""
        return self.connections

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that are listened on; none before the start and after the end."""
        return tuple(self._started.sockets) if self._library is not None else ()

    def is_serving(self) -> bool:
        """Say whether connections are taken."""
        return self._library is not None and self._library.is_serving()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that the server runs on."""
        return self._started.get_loop()

    async def start_serving(self) -> None:
        """Take connections, after ``serve(start_serving=False)``."""
        await self._started.start_serving()

    async def serve_forever(self) -> None:
        """Serve until `close` is called, or this is cancelled, which closes the server."""
        await self
        try:
            if not self.is_serving() and self._closing is None:
                await self.start_serving()
            await self.wait_closed()
        except asyncio.CancelledError as cancelled:
            await self.__aexit__(type(cancelled), cancelled, None)
            raise

    def close(
        self,
        close_connections: bool = True,
        code: int = CloseCode.GOING_AWAY,
        reason: str = "The server goes away.",
    ) -> None:
        """Take no more connections, let running actions end, and close all connections; `wait_closed` waits for it.

        Args:
            close_connections: False leaves the connections that are open until their clients go.
            code: that they are closed with: 1001, or 1012 before a restart.
            reason: for the close frame.
        """
        self._begin_to_close(close_connections, code, reason, drain=close_connections)

    async def wait_closed(self) -> None:
        """Wait until the server and all its connections have ended."""
        await self._closed.wait()

    @property
    def _started(self) -> library.Server:
        if self._library is None:
            raise HostError("The server was not started: `await serve(…)`, or `async with serve(…) as server:`.")
        return self._library

    async def _start(self) -> Self:
        async with self._starting:
            if self._library is None:
                started = await self._start_library(self._serve)
                if self._owns_hub:
                    self.hub.start()
                self.hub.install_signal_handlers()
                self._library = started
        return self

    async def _serve(self, connection: ServerConnection) -> None:
        admission = self._opening.take(connection)
        session = self.hub.open(WebSocketsTransport(admission.info, connection), admission)
        del admission  # which would stay in memory for as long as the connection does
        self._sessions.add(session)
        try:
            await read(session, connection)
        finally:
            self._sessions.discard(session)

    def _begin_to_close(self, close_connections: bool, code: int, reason: str, *, drain: bool) -> None:
        if self._closing is None and self._library is not None:
            self._closing = self.get_loop().create_task(self._close(close_connections, code, reason, drain))

    async def _close(self, close_connections: bool, code: int, reason: str, drain: bool) -> None:
        server = self._started
        try:
            # Not the library's own close yet: it would close the connections, and what they wait for would be lost.
            server.server.close()
            if drain:
                await self.hub.drain_connections(list(self._sessions), code, reason)
            server.close(close_connections, code, reason)
            await server.wait_closed()
            if self._owns_hub:
                await self.hub.stop()
        finally:
            self._closed.set()

    def __iter__(self) -> Iterator[ServerConnection]:
        return iter(self.connections)

    def __await__(self) -> Generator[object, None, Self]:
        return self._start().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is asyncio.CancelledError and self.hub.draining:
            # Interrupted for the second time: the first began the drain, and this one asks not to wait for its end.
            self._begin_to_close(True, CloseCode.SERVICE_RESTART, "The server restarts.", drain=False)
        else:
            self.close()
        await self.wait_closed()
