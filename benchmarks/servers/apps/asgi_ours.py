"""This library as a plain ASGI application, with the default settings."""

from benchmarks.applications.ours import registry
from benchmarks.wire import USER_ID
from wsproto_asgi import WebSocketApp
from wsproto_core.transport import ConnectionInfo


def authenticate(info: ConnectionInfo) -> int:
    return USER_ID


app = WebSocketApp(registry=registry, authenticate=authenticate, autodiscover=False, path="/ws/")
