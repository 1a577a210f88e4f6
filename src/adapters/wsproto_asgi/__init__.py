"""wsproto-core under any ASGI server: ``app = WebSocketApp(authenticate=...)``."""

from wsproto_asgi.application import WebSocketApp
from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import info_from_scope

__all__ = ["WebSocketApp", "info_from_scope", "run_websocket"]
