"""wsproto-core under any ASGI server: ``app = WebSocketApp(authenticate=...)``."""

from wsproto_asgi.application import WebSocketApp
from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import info_from_scope
from wsproto_asgi.websocket_like import handle_websocket_like

__all__ = ["WebSocketApp", "handle_websocket_like", "info_from_scope", "run_websocket"]
