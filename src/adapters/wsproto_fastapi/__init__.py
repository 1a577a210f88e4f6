"""wsproto-core under FastAPI and Starlette: `configure_websocket` once, `handle_websocket` in a route."""

from wsproto_fastapi.configuration import configure_websocket, hub_of
from wsproto_fastapi.endpoint import handle_websocket

__all__ = ["configure_websocket", "handle_websocket", "hub_of"]
