"""One connection of the websockets library: the transport that the core writes through, and the loop that reads."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from wsproto_core.closing import CloseCode
from wsproto_core.errors import ConfigurationError
from wsproto_core.session import Session
from wsproto_core.transport import ConnectionInfo

__all__ = ["WebSocketsTransport", "connection_class", "read"]


class WebSocketsTransport:
    """Writes to an open connection of the websockets library.

    Args:
        info: what the connection told about itself.
        connection: the library's.
    """

    __slots__ = ("_closing", "_connection", "_protocol", "info", "pings")

    def __init__(self, info: ConnectionInfo, connection: ServerConnection) -> None:
        self.info = info
        self.pings = connection.ping_interval is not None
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
            self._closing = asyncio.get_running_loop().create_task(hang_up(self._connection, code, reason))
        # Whoever waits for it may give up earlier; the hanging up must not be lost with them.
        await asyncio.shield(self._closing)


class EndingConnection(ServerConnection):
    """A connection whose messages end with the close frame.

    The library's own end when TCP does, so that a client that leaves it open is there for ever.
    """

    def data_received(self, data: bytes) -> None:
        """Take what has come in."""
        super().data_received(data)
        if self.protocol.eof_sent:
            self.recv_messages.close()


def connection_class(own: type[ServerConnection] | None) -> type[ServerConnection]:
    """Return the class of connections.

    Args:
        own: the application's ``create_connection``.
    """
    if own is None:
        return EndingConnection
    if not (isinstance(own, type) and issubclass(own, ServerConnection)):
        raise ConfigurationError(f"create_connection must be a subclass of ServerConnection, not {own!r}.")
    return type(own.__name__, (EndingConnection, own), {})


async def read(session: Session, connection: ServerConnection) -> None:
    """Push what comes into the session until the connection has ended.

    Args:
        session: of the connection.
        connection: the library's. While the session takes nothing, the library stops reading at its ``max_queue``.
    """
    take, receive = session.receive, connection.recv_messages.get
    failure = None
    try:
        while True:
            await take(await receive())
    except EOFError:
        pass
    except UnicodeDecodeError as error:
        failure = CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}"
    except WebSocketException:
        # Too many fragments, where the library bounds them.
        failure = CloseCode.MESSAGE_TOO_BIG, "too many fragments"
    finally:
        closed = connection.protocol.close_rcvd
        if closed is not None:
            session.closed(closed.code, closed.reason)
        else:
            session.closed(*(failure or (CloseCode.ABNORMAL, "")))
        if failure is not None:
            await hang_up(connection, *failure, failed=True)
        await session.finished()


async def hang_up(connection: ServerConnection, code: int, reason: str, *, failed: bool = False) -> None:
    """Do the closing handshake; without an answer within the library's ``close_timeout`` end the connection.

    Args:
        connection: the library's.
        code: for the close frame.
        reason: for the close frame.
        failed: whether what comes in makes no sense any more, so that no answer is waited for (RFC 6455 section 7.1.7).
    """
    try:
        async with asyncio.timeout(connection.close_timeout):
            if failed:
                async with connection.send_context():
                    connection.protocol.fail(code, reason)
                    connection.transport.resume_reading()  # to the end, which ends the connection
            else:
                await connection.close(code, reason)
    except ConnectionClosed:
        pass
    except TimeoutError:
        # The library counts this time from the close frame on, which a client that does not read never lets out.
        connection.transport.abort()
