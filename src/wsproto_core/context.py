"""What a handler sees of the connection and of the request that it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from typing_extensions import TypeVar

from wsproto_core.closing import CloseCode
from wsproto_core.recipients import Audience, SupportsAudience, room, topic_or_filter

if TYPE_CHECKING:
    from wsproto_core.dispatcher import Call
    from wsproto_core.events import Emittable, Event
    from wsproto_core.hub import Hub
    from wsproto_core.session import Session
    from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["ActionContext"]

UserIdT = TypeVar("UserIdT", default=Any)


class ActionContext(Generic[UserIdT]):
    """The connection and the request that a handler answers; generic over the type of the user id.

    Its methods that do something are awaited in async handlers. In a plain function, which runs in a worker thread,
    they are simply called: they have acted when they return.
    """

    __wsproto_inject__: ClassVar[str] = "context"
    __slots__ = ("_call", "_session")

    def __init__(self, session: Session, call: Call | None = None) -> None:
        self._session = session
        self._call = call

    @property
    def connection_id(self) -> str:
        """The id of this connection."""
        return self._session.id

    @property
    def websocket_id(self) -> str:
        """The id of this connection, under the name that beeflow-websocket gives it."""
        return self._session.id

    @property
    def user_id(self) -> UserIdT:
        """Who is behind this connection; None is anonymous."""
        return cast("UserIdT", self._session.user_id)

    @property
    def req_id(self) -> str | None:
        """The client's request that is being answered: a UUID as text, lower case."""
        return self._call.req_id if self._call is not None else None

    @property
    def msg_id(self) -> str | None:
        """The client's message that is being answered: a UUID as text, lower case."""
        return self._call.msg_id if self._call is not None else None

    @property
    def path(self) -> str:
        """The path of the connection, without the query."""
        return self._session.info.path

    @property
    def headers(self) -> Headers:
        """The headers of the handshake."""
        return self._session.info.headers

    @property
    def info(self) -> ConnectionInfo:
        """All that the connection told about itself at the handshake."""
        return self._session.info

    @property
    def scopes(self) -> frozenset[str]:
        """What the user's credential allows."""
        return self._session.scopes

    @property
    def state(self) -> dict[str, Any]:
        """A dict that lives as long as the connection and belongs to the application."""
        return self._session.state

    @property
    def hub(self) -> Hub:
        """The hub that this connection belongs to."""
        return self._session.hub

    @property
    def rooms(self) -> frozenset[str]:
        """The names of the rooms that this connection is in; in ``on_disconnect`` those that it was in."""
        return self._session.rooms

    def emit(
        self,
        event: Event | Emittable,
        to: Audience | SupportsAudience | Iterable[Audience | SupportsAudience] | None = None,
    ) -> Awaitable[int]:
        """Emit an event now, without ending the handler.

        Args:
            event: what to send; without an audience it goes to the connection that asked.
            to: the audience, if the event does not say it itself.

        Returns:
            to how many connections of this process it was queued.

        Raises:
            UnserializableEventError, UnknownRecipientError, BroadcastNotAllowedError.
        """
        if self._call is not None:
            return self._session.bridge(self._call.emit(event, to))
        return self._session.bridge(self._session.hub.emit_from(self._session, event, to))

    def join(self, *audiences: Audience | SupportsAudience | str, presence: bool = False) -> Awaitable[None]:
        """Join rooms, or subscribe to topics: events to them reach this connection from now on.

        Args:
            audiences: ``room("lobby")``, ``topic("sport/football")``, a typed topic; a plain string names a room.
            presence: whether the client is told who is there, and from now on who comes and goes: with the events
                ``ws.presence_state`` and ``ws.presence_diff`` (protocol section 10).

        Raises:
            Problem: ``forbidden``, where the typed topic's ``authorize``, or ``authorize_subscribe``, says no, or
                where there is no presence.
            InvalidTopicError: a name that is none.
        """
        return self._session.bridge(self.hub.memberships.join(self, *audiences, text=room, presence=presence))

    def leave(self, *audiences: Audience | SupportsAudience | str) -> Awaitable[None]:
        """Leave rooms, or unsubscribe from topics; what was not joined is passed over."""
        return self._session.bridge(self.hub.memberships.leave(self, *audiences, text=room))

    def subscribe(self, *topics: Audience | SupportsAudience | str) -> Awaitable[None]:
        """Subscribe to topics; a plain string names a topic, or many with the wildcards ``+`` and ``#``.

        Raises:
            Problem: ``forbidden``, where the typed topic's ``authorize``, or ``authorize_subscribe``, says no.
            InvalidTopicError: a name that is none.
        """
        return self._session.bridge(self.hub.memberships.join(self, *topics, text=topic_or_filter))

    def unsubscribe(self, *topics: Audience | SupportsAudience | str) -> Awaitable[None]:
        """Unsubscribe from topics and filters, given as they were subscribed to; a plain string names a topic."""
        return self._session.bridge(self.hub.memberships.leave(self, *topics, text=topic_or_filter))

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> Awaitable[None]:
        """Close this connection, after what was sent to it so far has been written.

        Args:
            code: 1000, a code of `CloseCode` that may be sent, or 3000 to 4999.
            reason: at most 123 bytes of UTF-8; what is longer is cut.

        Raises:
            ValueError: a code that may not be sent (RFC 6455 section 7.4).
        """
        return self._session.bridge(self._session.close_soon(code, reason))

    def __repr__(self) -> str:
        return f"<ActionContext connection={self._session.id} user={self._session.user_id!r}>"
