"""FastAPI's OAuth2 with bearer tokens, for WebSocket routes as well."""

# Without `from __future__ import annotations`: older releases of FastAPI do not resolve the text of an annotation where
# the dependency is an object that is called.

from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from wsproto_asgi.handshake import info_from_scope
from wsproto_core.problems import Problem

__all__ = ["WebSocketOAuth2PasswordBearer"]


class WebSocketOAuth2PasswordBearer(OAuth2PasswordBearer):
    """The token of a connection or a request, as a dependency; OpenAPI shows it as it shows its base class.

    ::

        bearer = WebSocketOAuth2PasswordBearer(tokenUrl="/token")

        @app.websocket("/ws/")
        async def ws(websocket: WebSocket, token: Annotated[str, Depends(bearer)]) -> None:
            await handle_websocket(websocket, user_id=await user_of(token))

    The token comes with ``Authorization: Bearer`` or, as browsers can do it, with the subprotocols ``access-token,
    TOKEN``. Nobody has verified it: that is for whoever depends on this. It takes the arguments of its base class.

    Without a token it raises a `Problem`, ``unauthenticated``, which `configure_websocket` has the application answer
    with 401 and ``WWW-Authenticate`` before the connection is accepted; with ``auto_error=False`` the token is None.
    """

    async def __call__(self, connection: HTTPConnection) -> str | None:
        """Return the token, or None.

        Raises:
            Problem: ``unauthenticated``: there is none, and ``auto_error`` is on.
        """
        info = info_from_scope(connection.scope)
        if info.source in {"bearer", "subprotocol"} and info.token:
            return info.token
        if self.auto_error:
            raise Problem("A token is needed.", code="unauthenticated")
        return None
