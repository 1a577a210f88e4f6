"""beeflow-websocket's Flask endpoint, which runs an event loop for each message."""

from collections.abc import Callable

from beeflow_websocket.flask import BeeflowWebSocketEndpoint

import benchmarks.applications.beeflow  # noqa: F401  (importing registers the action)
from benchmarks.wire import ENVELOPE, USER_ID

WIRE = ENVELOPE


class Socket:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.send = write

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        raise NotImplementedError("frames are pushed")


async def connect(write: Callable[[str], None]) -> Callable[[str], None]:
    receive: Callable[[str], None] = BeeflowWebSocketEndpoint(Socket(write), user_id=USER_ID).receive_json
    return receive
