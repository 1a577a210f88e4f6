"""beeflow-websocket's FastAPI endpoint, on a socket that decodes and encodes as Starlette's does."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from beeflow_websocket.fastapi import BeeflowWebSocketEndpoint

import benchmarks.applications.beeflow  # noqa: F401  (importing registers the action)
from benchmarks.wire import ENVELOPE, USER_ID

WIRE = ENVELOPE


class Socket:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write

    async def send_json(self, data: Any) -> None:
        self.write(json.dumps(data, separators=(",", ":"), ensure_ascii=False))


async def connect(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    endpoint = BeeflowWebSocketEndpoint(Socket(write), user_id=USER_ID)  # type: ignore[arg-type, unused-ignore]

    async def receive(frame: str) -> None:
        await endpoint.receive_json(json.loads(frame))

    return receive
