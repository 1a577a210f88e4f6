"""A consumer of Channels by hand: json.loads, a dict, json.dumps."""

from channels.generic.websocket import AsyncWebsocketConsumer

from benchmarks.applications.untyped import Connection
from benchmarks.servers.django import logged_in, set_up

set_up()


class Consumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.connection = Connection()
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        assert text_data is not None
        await self.send(text_data=self.connection.answer(text_data))


app = logged_in(Consumer.as_asgi())
