"""One connection of the websockets library: the transport that the core writes through, and the loop that reads."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from wsproto_core.closing import CloseCode
from wsproto_core.session import Session
from wsproto_core.transport import ConnectionInfo

__all__ = ["WebSocketsTransport", "read"]


class WebSocketsTransport:
    """Writes to an open connection of the websockets library.

    Args:
        info: what the connection told about itself.
        connection: the library's.
    """

    __slots__ = ("_closing", "_connection", "_protocol", "info")

    def __init__(self, info: ConnectionInfo, connection: ServerConnection) -> None:
        self.info = info
        self._connection = connection
        self._protocol = connection.protocol
        self._closing: asyncio.Task[None] | None = None

    def try_send(self, frame: str | bytes) -> bool:
        """Write one frame, as the library's ``broadcast`` does, unless that would only pile up in memory."""
        connection, protocol = self._connection, self._protocol
        if protocol.state is not State.OPEN:
            # Nobody is there any more. The reader learns of it too, and knows how it ended.
            return True
        if connection.paused or connection.send_in_progress is not None:
            return False
        if isinstance(frame, str):
            protocol.send_text(frame.encode())
        else:
            protocol.send_binary(frame)
        connection.send_data()
        return True

    async def send(self, frame: str | bytes) -> None:
        """Write one frame; wait while the client does not read."""
        try:
            await self._connection.send(frame)
        except ConnectionClosed:
            return

    async def close(self, code: int, reason: str) -> None:
        """Do the closing handshake; without an answer within the library's ``close_timeout`` hang up."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, reason))
        # Whoever waits for it may give up earlier; the hanging up must not be lost with them.
        await asyncio.shield(self._closing)

    async def _close(self, code: int, reason: str) -> None:
        connection = self._connection
        try:
            async with asyncio.timeout(connection.close_timeout):
                await connection.close(code, reason)
        except TimeoutError:
            # The library counts this time from the close frame on, which a client that does not read never lets out.
            connection.transport.abort()


async def read(session: Session, connection: ServerConnection) -> None:
    """Push what comes into the session until the connection has ended.

    Args:
        session: of the connection.
        connection: the library's. While the session takes nothing, the library stops reading at its ``max_queue``.
    """
    take, receive = session.receive, connection.recv
    try:
        while True:
            await take(await receive())
    except ConnectionClosed:
        pass
    finally:
        code = connection.close_code
        session.closed(CloseCode.ABNORMAL if code is None else code, connection.close_reason or "")
        await session.finished()
