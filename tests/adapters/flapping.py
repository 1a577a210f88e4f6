"""A TCP proxy that can drop its connections, and refuse new ones, and count what passes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.adapters.serving import reserve_port


class Proxy:
    """A proxy to a loopback port.

    Attributes:
        port: where it listens.
        open: whether it lets anybody through.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self.open = True
        self._writers: set[asyncio.StreamWriter] = set()

    def drop(self) -> int:
        """End all connections with a RST; return how many there were."""
        count = len(self._writers)
        for writer in self._writers:
            writer.transport.abort()
        return count

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            self.drop()
            await server.wait_closed()
            self._reserved.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
