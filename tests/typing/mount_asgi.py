"""Read by type checkers, never run: an ASGI application without a framework."""

from wsproto_asgi import WebSocketApp
from wsproto_core import ConnectionInfo, Identity, Limits, Problem


async def authenticate(info: ConnectionInfo) -> Identity | None:
    if info.token is None:
        return None
    if info.token == "expired":
        raise Problem(status=401, code="unauthenticated", title="Unauthorized")
    return Identity("ada")


app = WebSocketApp(authenticate=authenticate, path="/ws/", limits=Limits(max_connections=10))
