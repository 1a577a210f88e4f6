"""This library on the websockets library's server: all are in one room, and whatever one says, all are told."""

import socket

from benchmarks.applications.ours import Said
from benchmarks.wire import SAID, USER_ID
from wsproto_core import ActionContext, Registry, room
from wsproto_core.transport import ConnectionInfo
from wsproto_websockets import Server, serve

registry = Registry()


@registry.action("chat.say")
async def say() -> Said:
    return Said(**SAID).to(room("lobby"))


def authenticate(info: ConnectionInfo) -> int:
    return USER_ID


async def on_connect(context: ActionContext) -> None:
    await context.join("lobby")


def app(listener: socket.socket) -> Server:
    return serve(
        sock=listener,
        compression=None,
        registry=registry,
        authenticate=authenticate,
        autodiscover=False,
        on_connect=on_connect,
    )
