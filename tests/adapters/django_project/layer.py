"""A channel layer between processes that needs no engine: a broker in the process of the tests, and its clients."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections import defaultdict
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from channels.layers import BaseChannelLayer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class TcpChannelLayer(BaseChannelLayer):
    """A client of the broker: one connection for each event loop, and one for each channel that is read."""

    extensions = ("groups",)

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, Streams] = WeakKeyDictionary()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._reading: dict[str, Streams] = {}

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}.tcp!{uuid.uuid4().hex}"

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self._ask("send", channel, message)

    async def group_add(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        await self._ask("add", group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await self._ask("discard", group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.require_valid_group_name(group)
        await self._ask("group_send", group, message)

    async def receive(self, channel: str) -> Any:
        if channel not in self._reading:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(json.dumps(["listen", channel, None]).encode() + b"\n")
            self._reading[channel] = reader, writer
        reader, writer = self._reading[channel]
        line = await reader.readline()
        if not line:
            self._reading.pop(channel)[1].close()
            raise ConnectionError("the broker is gone")
        return json.loads(line)

    async def _ask(self, *request: Any) -> None:
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            if loop not in self._asking:
                self._asking[loop] = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._asking.pop(loop)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                if not await reader.readline():
                    raise ConnectionError("the broker is gone")
            except BaseException:
                writer.close()
                raise
            self._asking[loop] = reader, writer


class Broker:
    """What the clients connect to. As a context manager it runs, in a thread of its own.

    Args:
        port: 0 for a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.listening: dict[str, asyncio.StreamWriter] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()])
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, with all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                what, name, value = json.loads(line)
                if what == "listen":
                    self.listening[name] = writer
                else:
                    self._do(what, name, value)
                    writer.write(b"ok\n")
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _do(self, what: str, name: str, value: Any) -> None:
        match what:
            case "add":
                self.groups[name].add(value)
            case "discard":
                self.groups[name].discard(value)
            case "group_send":
                for channel in self.groups[name]:
                    self._do("send", channel, value)
            case "send" if name in self.listening:
                self.listening[name].write(json.dumps(value).encode() + b"\n")
