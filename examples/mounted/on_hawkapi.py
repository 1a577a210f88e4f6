"""In HawkAPI: its WebSocket is served as it is.

uvicorn examples.mounted.on_hawkapi:app
"""

from hawkapi import HawkAPI, WebSocket

from examples.mounted.actions import Said, authenticate
from wsproto_asgi import handle_websocket_like
from wsproto_core import Hub, Settings, room

app = HawkAPI()
hub = Hub(Settings(authenticate=authenticate))


@app.websocket("/ws")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket_like(hub, websocket)


@app.get("/announce/{name:str}")
async def announce(name: str) -> int:
    return await hub.emit(Said(user_id=None, text="Hello from HTTP"), to=room(name))


@app.on_shutdown
async def stop() -> None:
    await hub.stop()
