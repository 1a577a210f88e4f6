"""The side of the client on an ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from wsproto_asgi.connection import AsgiTransport
from wsproto_asgi.handshake import Message, Receive, Send
from wsproto_core.closing import CloseCode
from wsproto_core.transport import ConnectionInfo

__all__ = ["AsgiClient", "ClientLeftError", "unless_client_leaves"]

_T = TypeVar("_T")

_QUICK: Final = 0.5  # seconds; what takes longer is not gone on with for nobody


class ClientLeftError(Exception):
    """The client has gone before its connection was accepted."""


class AsgiClient:
    """A client whose connection was accepted; used by the task that reads it. See `wsproto_proxy.relay.Client`.

    Args:
        info: what the connection told about itself.
        receive: of the connection.
        send: likewise.
    """

    def __init__(self, info: ConnectionInfo, receive: Receive, send: Send) -> None:
        self.end = int(CloseCode.ABNORMAL), ""
        self._receive = receive
        self._transport = AsgiTransport(info, send, asyncio.current_task())
        self.send = self._transport.send
        self.close = self._transport.close

    async def receive(self) -> str | bytes | None:
        """Return the next message; None once the connection has ended."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                frame: str | bytes = text if text is not None else message["bytes"]
                return frame
            if message["type"] == "websocket.disconnect":
                self._transport.finished()
                self.end = _end_of(message)
                return None

    async def gave_up(self) -> bool:
        """Say, where reading was cancelled, whether that was because a closing handshake was not answered."""
        task = asyncio.current_task()
        if not self._transport.gave_up or task is None or task.uncancel() > 0:
            return False
        await self._transport.close_sent()
        return True


def _end_of(message: Message) -> tuple[int, str]:
    """Return the code and the reason of an ASGI disconnect."""
    code, reason = int(message.get("code", CloseCode.NO_STATUS)), message.get("reason")
    if code == CloseCode.NO_STATUS and reason is None:
        # uvicorn has this code also for a connection that was lost, but then without a reason.
        code = CloseCode.ABNORMAL
    return code, reason or ""


async def _receive(receive: Receive) -> Message:
    return await receive()


async def unless_client_leaves(
    work: Coroutine[Any, Any, _T], receive: Receive, undo: Callable[[_T], Awaitable[None]]
) -> _T:
    """Return what something gives that is done for a client whose connection is not accepted yet.

    Args:
        work: is cancelled if the client goes.
        receive: of the connection.
        undo: is called with what it gave, if nobody is there any more to have it.

    Raises:
        ClientLeftError: the client has gone.
    """
    working = asyncio.get_running_loop().create_task(work)
    leaving: asyncio.Future[Any] | None = None
    try:
        await asyncio.wait([working], timeout=_QUICK)
        if working.done():
            return working.result()
        # A task around it: what granian gives to be awaited is no whole future.
        leaving = asyncio.get_running_loop().create_task(_receive(receive))
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if leaving.done() and not leaving.cancelled() and leaving.exception() is None:
            # Before it is accepted, a client can say nothing else.
            raise ClientLeftError
        return await working
    except (ClientLeftError, asyncio.CancelledError):
        working.cancel()
        await asyncio.wait([working])
        if not working.cancelled() and working.exception() is None:
            await undo(working.result())
        raise
    finally:
        if leaving is not None:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
