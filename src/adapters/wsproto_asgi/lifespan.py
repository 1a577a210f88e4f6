"""The lifespan of a server: the hub begins and ends with it."""

from __future__ import annotations

from wsproto_asgi.handshake import Receive, Send
from wsproto_asgi.signals import install_signal_handlers
from wsproto_core.hub import Hub

__all__ = ["serve_lifespan"]


async def serve_lifespan(hub: Hub, receive: Receive, send: Send) -> None:
    """Start a hub, and stop it in the end (ASGI, "Lifespan Protocol").

    Args:
        hub: that begins and ends with the server.
        receive: of the lifespan.
        send: likewise.
    """
    await receive()
    try:
        hub.start()
        install_signal_handlers(hub)
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})
