"""This library's whole pipeline: limits, context, registry, sequence; the default settings and no middleware."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.applications.ours import registry
from benchmarks.wire import ENVELOPE, USER_ID
from wsproto_core import Admission, Hub, Settings
from wsproto_core.transport import ConnectionInfo

WIRE = ENVELOPE


class Transport:
    def __init__(self, write: Callable[[Any], None]) -> None:
        self.info = ConnectionInfo(path="/ws/")
        self.write = write

    async def send(self, frame: str | bytes) -> None:
        self.write(frame)

    async def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed with {code} {reason}")


async def connect(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    hub = Hub(Settings(registry=registry))
    transport = Transport(write)
    admission = await hub.admit(transport.info, user_id=USER_ID)
    assert isinstance(admission, Admission)
    session = hub.open(transport, admission)
    receive: Callable[[str], Awaitable[None]] = session.receive
    return receive
