"""What one writes by hand with json and without validation, awaiting its send as a route does."""

from collections.abc import Awaitable, Callable

from benchmarks.applications.untyped import Connection
from benchmarks.wire import ENVELOPE

WIRE = ENVELOPE


async def connect(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    connection = Connection()

    async def send(frame: str) -> None:
        write(frame)

    async def receive(frame: str) -> None:
        await send(connection.answer(frame))

    return receive
