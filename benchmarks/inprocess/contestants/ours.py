"""This library's whole pipeline: limits, context, registry, sequence; the default settings and no middleware."""

from collections.abc import Awaitable, Callable

from benchmarks.applications.ours import registry
from benchmarks.wire import ENVELOPE, USER_ID
from wsproto_core import Hub, Settings
from wsproto_core.transport import ConnectionInfo

WIRE = ENVELOPE


class Transport:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.info = ConnectionInfo(path="/ws/")
        self.write = write

    async def send(self, frame: str) -> None:
        self.write(frame)

    async def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed with {code} {reason}")


async def connect(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    hub = Hub(Settings(registry=registry))
    transport = Transport(write)
    session = hub.open(transport, await hub.admit(transport.info, user_id=USER_ID))
    receive: Callable[[str], Awaitable[None]] = session.receive
    return receive
