"""This library on plain ASGI: all are in one room, and whatever one says, all are told."""

from benchmarks.servers.apps.websockets_hub import authenticate, on_connect, registry
from wsproto_asgi import WebSocketApp

app = WebSocketApp(registry=registry, authenticate=authenticate, autodiscover=False, on_connect=on_connect)
