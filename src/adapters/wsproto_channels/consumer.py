"""The consumer: a connection of Channels becomes one of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar, cast
from urllib.parse import parse_qsl

from channels.consumer import AsyncConsumer
from channels.layers import get_channel_layer

from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import Scope, info_from_scope, refuse
from wsproto_channels.configuration import Configured, configured, mounted
from wsproto_channels.daphne import complete, complete_scope
from wsproto_channels.databases import sweeper
from wsproto_channels.layer_messages import layer_messages
from wsproto_channels.proxies import behind_proxy
from wsproto_core.admission import Denial, close_code_of
from wsproto_core.closing import CloseCode
from wsproto_core.context import ActionContext
from wsproto_core.hub import Hub
from wsproto_core.ids import new_connection_id
from wsproto_core.problems import Problem
from wsproto_core.recipients import Audience, connection
from wsproto_core.security import NOT_GIVEN
from wsproto_core.tasks import resolved

__all__ = ["WebSocketConsumer", "scope_of", "user_of"]


class WebSocketConsumer(AsyncConsumer):
    """Serves a connection of a user who is logged in; others are refused before they are accepted.

    Where ``WSPROTO`` has an ``AUTHENTICATE``, it is asked about those who are not.

    Make a subclass to have it otherwise. The hooks ``get_…`` may be plain or async; one that uses the database has to
    be async. A `Problem` that they raise refuses the connection. By default there is no channel for each connection:
    events need none. A subclass that sets ``channel_layer_alias`` has one, with what Channels' consumers do with it:
    it is in `groups`, a message of type ``chat.message`` calls ``chat_message``, and `send` and `close` are there.

    Attributes:
        allow_anonymous: whether those who are not logged in may connect.
        channel_layer_alias: the layer that each connection gets a channel on; None is no channel.
        groups: of that layer, that each connection is in.
        connection_id: of this connection.
        hub: that it belongs to.
    """

    # A str or None, for which the types of Channels have no room.
    channel_layer_alias: ClassVar[Any] = None
    groups: ClassVar[Iterable[str]] = ()
    allow_anonymous: ClassVar[bool] = False

    scope: Any
    hub: Hub
    connection_id: str

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> Any:
        """Return the ASGI application to route to.

        Raises:
            ImproperlyConfigured: a setting that makes no sense.
        """
        mounted()
        return super().as_asgi(**initkwargs)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection to its end."""
        this = configured()
        sweeper.serves(asyncio.get_running_loop())
        self.scope = complete_scope(scope, send)
        self.hub = this.hub
        self.base_send = send
        try:
            options = await self._options(this)
        except Problem as refusal:
            await receive()
            this.hub.count("refused")
            await refuse(scope, send, Denial(refusal, close_code_of(refusal)), this.hub.settings.problem_type_base_url)
            return
        async with AsyncExitStack() as stack:
            alias = self.channel_layer_alias
            layer = get_channel_layer(alias) if alias is not None else None
            if layer is not None:
                self.channel_layer = layer
                self.channel_name = await stack.enter_async_context(layer_messages(self, layer))
            receive, send = complete(receive, send)
            info = behind_proxy(info_from_scope(self.scope))
            await run_websocket(
                this.hub, self.scope, receive, send, surroundings=this.surroundings, info=info, **options
            )

    def get_user(self) -> Any:
        """Return the user: an object with ``is_authenticated`` and ``pk``, or None."""
        return self.scope.get("user")

    def get_user_id(self, user: Any) -> Any:
        """Return the id of a user who is logged in: an int, a str or a UUID."""
        return user.pk if hasattr(user, "pk") else user.id

    def get_connection_id(self) -> Any:
        """Return the id of the connection; by default a random one. No two may have the same."""
        return new_connection_id()

    def get_rooms(self) -> Any:
        """Return the rooms, or other audiences, that the connection is in from the beginning."""
        return ()

    def get_state(self) -> Any:
        """Return what ``context.state`` begins with: a dict, or None."""
        return None

    # As in AsyncWebsocketConsumer of Channels, which overrides it likewise.
    async def send(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Send a frame that is no event, after what is queued already.

        Raises:
            ValueError: there is nothing to send.
        """
        frame = text_data if text_data is not None else bytes_data
        if frame is None:
            raise ValueError("send takes text_data or bytes_data.")
        await self.hub.send(self.connection_id, frame)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection.

        Args:
            code: 1000 by default.
            reason: at most 123 bytes of UTF-8.
        """
        await self.hub.disconnect(connection(self.connection_id), code or CloseCode.NORMAL, reason or "")

    async def _options(self, this: Configured) -> dict[str, Any]:
        """Return what the hooks say about this connection.

        Raises:
            Problem: nobody is logged in.
        """
        user = await resolved(self.get_user())
        if user is not self.scope.get("user"):
            self.scope = {**self.scope, "user": user}
        user_id: object = None
        if user is not None and user.is_authenticated:
            user_id = await resolved(self.get_user_id(user))
        elif this.hub.settings.authenticate is not None or (
            this.hub.settings.tickets is not None and _has_ticket(self.scope)
        ):
            user_id = NOT_GIVEN
        elif not self.allow_anonymous:
            raise Problem("Log in first.", code="unauthenticated")
        self.connection_id = await resolved(self.get_connection_id())
        rooms: Iterable[Audience | str] = await resolved(self.get_rooms())
        state: Mapping[str, Any] | None = await resolved(self.get_state())
        return {"user_id": user_id, "connection_id": self.connection_id, "rooms": rooms, "state": state}


def _has_ticket(scope: Scope) -> bool:
    query: bytes = scope.get("query_string", b"")
    return any(name == "ticket" for name, _ in parse_qsl(query.decode("latin-1")))


def scope_of(context: ActionContext[Any]) -> Scope:
    """Return the ASGI scope of a connection: ``session``, ``url_route``, ``cookies`` and so on.

    Raises:
        LookupError: the connection is not one of this adapter.
    """
    return cast("Scope", context.info.extras["scope"])


def user_of(context: ActionContext[Any]) -> Any:
    """Return the user of a connection, as it was at the handshake; None when nothing put one into the scope."""
    return scope_of(context).get("user")
