"""A connection that discards, in the shape that each contestant expects of it."""

import asyncio
from collections.abc import Callable
from typing import Any


class Transport:
    def __init__(self, write: Callable[[Any], None]) -> None:
        self.write = write

    @property
    def info(self) -> Any:
        from wsproto_core.transport import ConnectionInfo  # of one contestant; the others do without it

        return ConnectionInfo(path="/ws/")

    async def send(self, frame: Any) -> None:
        self.write(frame)

    async def send_text(self, data: str) -> None:
        self.write(data)

    async def send_bytes(self, data: bytes) -> None:
        self.write(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        raise AssertionError(f"closed with {code} {reason}")

    async def pause(self) -> None:
        await asyncio.sleep(0)
