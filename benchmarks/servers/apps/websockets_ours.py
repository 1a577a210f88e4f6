"""This library on the websockets library's server, with the default settings. `app` makes the server of a listener."""

import socket

from benchmarks.applications.ours import registry
from benchmarks.wire import USER_ID
from wsproto_core.transport import ConnectionInfo
from wsproto_websockets import Server, serve


def authenticate(info: ConnectionInfo) -> int:
    return USER_ID


def app(listener: socket.socket) -> Server:
    return serve(sock=listener, compression=None, registry=registry, authenticate=authenticate, autodiscover=False)
