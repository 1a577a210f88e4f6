"""Plain ASGI by hand: whatever one client sends, all are told in a loop of sends, each with its own number."""

import json
from typing import Any

from benchmarks.wire import SAID

connections: dict[Any, int] = {}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    connections[send] = 0
    while (await receive())["type"] == "websocket.receive":
        payload = json.dumps(SAID)
        for each in list(connections):
            connections[each] += 1
            text = f'{{"seq":{connections[each]},"event":"chat.said","payload":{payload}}}'
            await each({"type": "websocket.send", "text": text})
    del connections[send]
