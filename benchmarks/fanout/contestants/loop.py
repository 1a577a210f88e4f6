"""By hand: a dict of sets, the event serialised once, and for each receiver the number put in."""

import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID


class Connection:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.seq = 0


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    rooms = {
        "lobby": {Connection(Transport(write)) for _ in range(members)},
        "elsewhere": {Connection(Transport(write)) for _ in range(others)},
    }

    async def publish() -> None:
        rest = f'"event":"chat.said","recipient":"room","recipient_id":"lobby","payload":{json.dumps(SAID)}}}'
        head = f'{{"msg_id":"{uuid4()}","seq":'
        for connection in list(rooms["lobby"]):
            connection.seq += 1
            await connection.transport.send(f"{head}{connection.seq},{rest}")

    return publish
