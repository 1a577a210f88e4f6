"""Connection ids of the application's own: a second one does not take over the first."""

from tests.adapters.conftest import Serve
from tests.adapters.talking import eventually

# Its connections have the id and the room that the query says.
WITH_IDS = """
from fastapi import FastAPI, WebSocket

from tests.adapters.applications import actions
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
hub = configure_websocket(app, autodiscover=False)


@app.websocket("/ws/")
async def ws(websocket: WebSocket, id: str, room: str) -> None:
    await handle_websocket(websocket, connection_id=id, rooms=[room])


@app.get("/rooms")
async def rooms() -> dict[str, int]:
    return {name: hub.room_size(name) for name in hub.rooms()}
"""


async def test_a_second_connection_with_the_same_id_is_refused_and_the_first_keeps_its_rooms(serve: Serve) -> None:
    server = serve("app:app", source=WITH_IDS)
    async with server.connect("/ws/?id=one&room=lobby") as first:
        await first.ask("chat.enter", {"name": "cellar"})
        refusal = await server.refusal("/ws/?id=one&room=attic")
        assert refusal.status_code == 409
        assert b"conflict" in refusal.body
        assert server.get("/rooms") == {"lobby": 1, "cellar": 1}
        said = await first.ask("chat.say", {"room": "cellar", "text": "still here"})
        assert said["payload"]["text"] == "still here"
        assert await first.connection_id() == "one"
    await eventually(lambda: server.get("/rooms") == {})
    async with server.connect("/ws/?id=one&room=attic") as again:
        assert await again.is_served()
        assert server.get("/rooms") == {"attic": 1}
