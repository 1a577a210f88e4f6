"""One client and the service behind it: what either says goes to the other, and neither outlives the other.

The task that reads the client writes to the service, and one more does the opposite. Each reads no further than it has
written, so whoever does not read holds back whoever writes to it, and nothing piles up in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final, Protocol

from websockets.exceptions import ConnectionClosed, TooManyFragments

from wsproto_core.closing import CloseCode, close_reason, is_sendable_close_code
from wsproto_core.outbox import frame_size
from wsproto_proxy.settings import ProxySettings
from wsproto_proxy.stints import Stint
from wsproto_proxy.upstream import Upstream, ending_of, hang_up

__all__ = ["Client", "Relay"]

log = logging.getLogger("wsproto_core.proxy")

_GONE: Final = "The client is gone."
_CLOSE_FRAME: Final = 5.0  # seconds that the client's side has to take our close frame where nobody reads any more


class Client(Protocol):
    """The connection to a client, which a host has accepted.

    Attributes:
        end: the code and the reason that it ended with, once `receive` has said that it did.
    """

    end: tuple[int, str]

    async def receive(self) -> str | bytes | None:
        """Return the next message; None once the connection has ended, however that came."""
        ...

    def send(self, frame: str | bytes) -> Awaitable[None]:
        """Write one message; awaited, it waits while the client does not read."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; `receive` says when it was answered, or that nobody waits for that any longer."""
        ...


class Relay:
    """Passes messages on, both ways, until one side has ended, and then ends the other.

    Args:
        client: whose connection is open.
        upstream: the service, likewise.
        settings: of the proxy.

    Attributes:
        loop: that it runs on.
    """

    def __init__(self, client: Client, upstream: Upstream, settings: ProxySettings) -> None:
        self.loop = asyncio.get_running_loop()
        self._client = client
        self._upstream = upstream
        self._settings = settings
        self._limit = settings.max_message_bytes
        self._down: asyncio.Task[None] | None = None
        self._hanging_up: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._stopped: tuple[int, str] | None = None
        self._heard = self.loop.time()
        self._idle: asyncio.TimerHandle | None = None
        self._over = self.loop.create_future()

    async def run(self) -> None:
        """Pass messages on until both sides have ended; called by the task that may read the client."""
        self._down = self.loop.create_task(self._pass_down())
        if self._settings.idle_timeout is not None:
            self._idle = self.loop.call_later(self._settings.idle_timeout, self._look_idle)
        try:
            stint = Stint()
            while (frame := await self._client.receive()) is not None:
                await self._pass_up(frame)
                await stint.step()
            self._stopped = self._stopped or self._client.end
            self._begin_to_hang_up(*_for_service(*self._client.end))
            if self._hanging_up is not None:  # pragma: no branch - it was begun, or had been
                await asyncio.shield(self._hanging_up)
        except BaseException:
            self._upstream.transport.abort()
            if self._closing is not None:
                # Reading may have been given up for the sake of the close frame.
                await asyncio.wait([self._closing], timeout=_CLOSE_FRAME)
            raise
        finally:
            if self._idle is not None:
                self._idle.cancel()
            ending = [task for task in (self._down, self._closing) if task is not None]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            self._over.set_result(None)

    def stop(
        self,
        code: int,
        reason: str,
        *,
        service_code: int = CloseCode.GOING_AWAY,
        service_reason: str = "",
        failed: bool = False,
    ) -> None:
        """Close both sides. What is on its way in between is lost.

        Args:
            code: that the client is closed with.
            reason: that the client is told.
            service_code: that the service is closed with, unless it was first.
            service_reason: that the service is told.
            failed: whether what the service says makes no sense any more; see `hang_up`.
        """
        passing = self._down
        if self._stopped is not None or passing is None:
            return
        self._stopped = code, close_reason(reason)
        self._closing = self.loop.create_task(self._close_client(passing, *self._stopped))
        self._begin_to_hang_up(service_code, service_reason, failed=failed)
        if asyncio.current_task() is not passing:
            passing.cancel()

    async def stopped(self, code: int, reason: str) -> None:
        """Close both sides, and wait until that is done; see `stop`."""
        self.stop(code, reason)
        await asyncio.shield(self._over)

    async def _pass_up(self, frame: str | bytes) -> None:
        """Pass on what the client said."""
        if self._stopped is not None:
            return
        self._heard = self.loop.time()
        if self._limit is not None and frame_size(frame) > self._limit:
            self.stop(CloseCode.MESSAGE_TOO_BIG, f"A message may have {self._limit} bytes.")
            return
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                await self._upstream.send(frame)
        except ConnectionClosed:
            # The other task knows how it ended, and what the client is told.
            return
        except TimeoutError:
            self.stop(CloseCode.TRY_AGAIN_LATER, "The service does not keep up; try again.")

    async def _pass_down(self) -> None:
        """Pass on what the service says, and its end."""
        take, give = self._upstream.recv_messages.get, self._client.send
        stint = Stint()
        try:
            while True:
                frame = await take()
                self._heard = self.loop.time()
                async with asyncio.timeout(self._settings.send_timeout):
                    await give(frame)
                await stint.step()
        except EOFError:
            self.stop(*ending_of(self._upstream), service_code=CloseCode.NORMAL)
        except TimeoutError:
            self.stop(CloseCode.TRY_AGAIN_LATER, "You do not read; connect again.")
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "The service sent text that is none.")
        except TooManyFragments:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "A message of the service has too many fragments.")
        except Exception as error:
            # The client is gone. Each server has an exception of its own for that, and tells the reader as well.
            log.debug("a client could not be written to", exc_info=error)

    def _fail(self, code: int, reason: str) -> None:
        self.stop(CloseCode.INTERNAL_ERROR, reason, service_code=code, failed=True)

    async def _close_client(self, passing: asyncio.Task[None], code: int, reason: str) -> None:
        # What is being written comes first, or its end is known.
        await asyncio.wait([passing])
        try:
            await self._client.close(code, reason)
        except Exception as error:
            log.debug("a client was gone before it was closed", exc_info=error)

    def _begin_to_hang_up(self, code: int, reason: str, *, failed: bool = False) -> None:
        if self._hanging_up is None:
            self._hanging_up = self.loop.create_task(hang_up(self._upstream, code, reason, failed=failed))

    def _look_idle(self) -> None:
        timeout = self._settings.idle_timeout or 0.0
        left = self._heard + timeout - self.loop.time()
        if left > 0:
            self._idle = self.loop.call_later(left, self._look_idle)
        else:
            self.stop(CloseCode.TIMEOUT, "Nothing was said for too long.")


def _for_service(code: int, reason: str) -> tuple[int, str]:
    """Return what the service is closed with, for what the client was."""
    if code == CloseCode.NO_STATUS:
        return CloseCode.NORMAL, ""
    if is_sendable_close_code(code):
        return code, close_reason(reason)
    return CloseCode.GOING_AWAY, _GONE
