"""With hawkapi-websockets: the frame is the same for all, without a number."""

from collections.abc import Awaitable, Callable

from hawkapi_websockets import ConnectionManager

from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    manager = ConnectionManager(max_connections=None)
    for number in range(members + others):
        await manager.connect(Transport(write), rooms=["lobby" if number < members else f"elsewhere {number // 10}"])

    async def publish() -> None:
        await manager.broadcast_json({"event": "chat.said", "payload": SAID}, room="lobby")

    return publish
