"""A FastAPI application and another host in one process, with one hub between them."""

from websockets.asyncio.client import connect

from tests.adapters.conftest import Serve
from tests.adapters.talking import Client

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


WITH_A_SERVER_BESIDE = """
from contextlib import asynccontextmanager
from fastapi import FastAPI, WebSocket
from tests.adapters.applications import actions
from wsproto_fastapi import configure_websocket, handle_websocket
from wsproto_websockets import serve

@asynccontextmanager
async def lifespan(app: FastAPI):
    async with serve("127.0.0.1", 0, hub=hub) as server:
        app.state.port = server.sockets[0].getsockname()[1]
        yield

app = FastAPI(lifespan=lifespan)
hub = configure_websocket(app, authenticate=lambda info: "websockets")

@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket, user_id="fastapi")

@app.get("/port")
async def port() -> int:
    return app.state.port

@app.get("/say/{name}")
def say(name: str) -> None:
    hub.emit_sync(actions.Entered(room=name), to=actions.room(name))
"""


async def test_uvicorn_and_the_websockets_server_serve_one_hub(serve: Serve) -> None:
    server = serve("app:app", source=WITH_A_SERVER_BESIDE)
    other = f"ws://127.0.0.1:{server.get('/port')}/ws/"
    async with server.connect("/ws/") as one, connect(other, proxy=None) as websocket:
        two = Client(websocket)
        for client in (one, two):
            await client.ask("chat.enter", {"name": "lobby"})
        server.get("/say/lobby")  # from a thread of neither
        for client in (one, two):
            assert (await client.receive())["recipient_id"] == "lobby"
        for speaker, listener, user_id in ((one, two, "fastapi"), (two, one, "websockets")):
            said = await speaker.ask("chat.say", {"room": "lobby", "text": "hi"})
            heard = await listener.receive()
            assert heard["payload"] == said["payload"] == {"user_id": user_id, "text": "hi"}
            assert heard["msg_id"] == said["msg_id"]
        for speaker, listener, user_id in ((one, two, "websockets"), (two, one, "fastapi")):
            await speaker.send("chat.whisper", {"to": user_id, "text": "psst"})
            assert (await listener.receive())["recipient_id"] == user_id
        server.process.terminate()
        for client in (one, two):
            assert (await client.closed())[0] in {1001, 1012}
    await server.exit_code()
    assert "Traceback" not in server.log
