"""The floor: pydantic alone, as `benchmarks.applications.typed` uses it."""

from collections.abc import Callable

from benchmarks.applications.typed import Connection
from benchmarks.wire import ENVELOPE

WIRE = ENVELOPE


async def connect(write: Callable[[str], None]) -> Callable[[str], None]:
    connection = Connection()

    def receive(frame: str) -> None:
        write(connection.answer(frame))

    return receive
