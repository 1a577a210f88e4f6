"""The hub starts and stops with the server, where that tells: ``ProtocolTypeRouter({..., "lifespan": lifespan})``."""

from __future__ import annotations

from wsproto_asgi.handshake import Receive, Scope, Send
from wsproto_asgi.lifespan import serve_lifespan
from wsproto_channels.configuration import get_hub

__all__ = ["lifespan"]


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Follow the lifespan of the server (ASGI, "Lifespan Protocol"). Optional: daphne has none.

    Without it the hub starts with the first connection, and the process takes it along when it ends.
    """
    await serve_lifespan(get_hub(), receive, send)
