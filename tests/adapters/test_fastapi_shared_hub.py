"""A FastAPI application and a plain ASGI one in a process, with one hub between them."""

from tests.adapters.conftest import Serve

SOURCE = """
from fastapi import FastAPI, WebSocket
from tests.adapters.applications.actions import Entered
from wsproto_asgi import WebSocketApp
from wsproto_core import room
from wsproto_fastapi import configure_websocket, handle_websocket

app = FastAPI()
hub = configure_websocket(app)

@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id="fastapi")

@app.get("/say/{name}")
async def say(name: str) -> int:
    return await hub.emit(Entered(room=name), to=room(name))

app.mount("/plain", WebSocketApp(hub=hub, path="/ws/"))
"""


async def test_an_event_from_either_reaches_both(serve: Serve) -> None:
    server = serve("app:app", source=SOURCE)
    async with server.connect("/ws/") as one, server.connect("/plain/ws/") as two:
        for client in (one, two):
            await client.ask("chat.enter", {"name": "lobby"})
        assert server.get("/say/lobby") == 2
        for client in (one, two):
            assert (await client.receive())["recipient_id"] == "lobby"
        await one.ask("chat.say", {"room": "lobby", "text": "from one"})
        assert (await two.receive())["payload"] == {"user_id": "fastapi", "text": "from one"}
        await two.ask("chat.say", {"room": "lobby", "text": "from two"})
        assert (await one.receive())["payload"] == {"user_id": None, "text": "from two"}
    assert (await server.refusal("/plain/other/")).status_code == 404
    server.process.terminate()
    await server.exit_code()
    assert "Traceback" not in server.log
