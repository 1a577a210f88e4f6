"""This library on plain ASGI with a backplane, by its URL alone."""

from typing import Any

from benchmarks.backplane.control import MEMBERS_ROOM, ROOM, controlled
from benchmarks.engines import url
from benchmarks.wire import USER_ID
from wsproto_asgi import WebSocketApp
from wsproto_core import ActionContext, Event, Registry, room
from wsproto_core.transport import ConnectionInfo


class Said(Event, name="chat.said"):
    at: int
    text: str


def authenticate(info: ConnectionInfo) -> int:
    return USER_ID


async def on_connect(context: ActionContext) -> None:
    await context.join(MEMBERS_ROOM)


async def publish(payload: dict[str, Any]) -> None:
    await served.hub.emit(Said(**payload), to=room(ROOM))


served = WebSocketApp(
    registry=Registry(), authenticate=authenticate, autodiscover=False, on_connect=on_connect, backplane=url()
)
app = controlled(served, publish)
