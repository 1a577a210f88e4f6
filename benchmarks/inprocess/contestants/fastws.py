"""FastWS's broker, given each message as its `serve` gives it."""

from collections.abc import Awaitable, Callable

from fastws import Client, Message

from benchmarks.applications.fastws import service
from benchmarks.wire import FASTWS

WIRE = FASTWS


class Socket:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write

    async def send_text(self, data: str) -> None:
        self.write(data)


async def connect(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    client = Client(Socket(write))

    async def receive(frame: str) -> None:
        await service.client_send(Message.model_validate_json(frame), client=client)

    return receive
