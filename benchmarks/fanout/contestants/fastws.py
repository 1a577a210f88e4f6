"""With FastWS: its message, serialised for each receiver, without ids and numbers."""

from collections.abc import Awaitable, Callable

from fastws import Client, FastWS, Message

from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    service = FastWS()
    for number in range(members + others):
        client = Client(Transport(write))
        client.subscribe("lobby" if number < members else f"elsewhere {number // 10}")
        service.connections[client.uid] = client

    async def publish() -> None:
        await service.broadcast("lobby", Message(type="chat.said", payload=SAID))

    return publish
