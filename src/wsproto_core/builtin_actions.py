"""The protocol's own actions (protocol section 6). An application may replace ``health``; ``ws.…`` is reserved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from pydantic import BaseModel, Field

from wsproto_core.context import ActionContext
from wsproto_core.envelopes import MessageId
from wsproto_core.events import Event
from wsproto_core.handlers import bind, read_signature
from wsproto_core.presence import Member
from wsproto_core.specs import ActionSpec

__all__ = [
    "BUILTIN_ACTIONS",
    "Authenticated",
    "HealthEvent",
    "PresenceDiff",
    "PresenceState",
    "Subscribed",
    "Unsubscribed",
]


class HealthEvent(Event, register=False):
    """Says that the server answers."""

    event_name = "health"
    status: str = "ok"


class Authenticated(Event, register=False):
    """Says who the connection belongs to now."""

    event_name = "ws.authenticated"
    user_id: Any
    expires_at: float | None = Field(default=None, exclude_if=lambda expires_at: expires_at is None)


class _Token(BaseModel):
    token: str


class Subscribed(Event, register=False):
    """Says that the client is subscribed; what it missed is not kept."""

    event_name = "ws.subscribed"
    topic: str
    recovered: bool = False
    was_recovering: bool = False


class Unsubscribed(Event, register=False):
    """Says that the client is not subscribed any more."""

    event_name = "ws.unsubscribed"
    topic: str


class PresenceState(Event, register=False):
    """Says who is present on a topic."""

    event_name = "ws.presence_state"
    topic: str
    members: list[Member]


class PresenceDiff(Event, register=False):
    """Says who came and went, and whose connections are others than before; those with all that they are now."""

    event_name = "ws.presence_diff"
    topic: str
    joins: list[Member] = Field(default_factory=list)
    leaves: list[Member] = Field(default_factory=list)
    updates: list[Member] = Field(default_factory=list)


class _Subscription(BaseModel):
    topic: str
    epoch: str | None = None
    offset: int | None = None
    presence: bool = False


class _Topic(BaseModel):
    topic: str


class _Request(BaseModel):
    req_id: MessageId = Field(examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"])


async def health() -> HealthEvent:
    """Ask whether the server answers."""
    return HealthEvent()


async def authenticate(payload: _Token, context: ActionContext[Any]) -> Authenticated:
    """Say who you are, or renew your credential before it ends."""
    identity = await context.hub.authenticate_message(context, payload.token)
    return Authenticated(user_id=identity.user_id, expires_at=identity.expires_at)


async def cancel(payload: _Request, context: ActionContext[Any]) -> None:
    """Stop a request of yours, queued or running."""
    context.hub.cancel_request(context, payload.req_id)


async def subscribe(
    payload: _Subscription, context: ActionContext[Any]
) -> AsyncIterator[Subscribed | PresenceState | Event]:
    """Subscribe to a topic; who is present, if asked for, and the events that a subscriber begins with follow."""
    memberships = context.hub.memberships
    name, first_events = await memberships.subscribe(context, payload.topic)
    yield Subscribed(topic=name, was_recovering=payload.epoch is not None)
    if payload.presence:
        async with aclosing(memberships.presence_of(context, name)) as states:
            async for state in states:
                yield state
    async with aclosing(first_events):
        async for event in first_events:
            yield event


async def unsubscribe(payload: _Topic, context: ActionContext[Any]) -> Unsubscribed:
    """End a subscription of yours."""
    return Unsubscribed(topic=await context.hub.memberships.unsubscribe(context, payload.topic))


def _spec(name: str, function: Callable[..., Any]) -> ActionSpec:
    signature = read_signature(function, f"action {name!r}")
    return ActionSpec(
        name=name,
        function=function,
        signature=signature,
        run=bind(function, signature),
        replies=signature.returns,
        summary=function.__doc__,
    )


BUILTIN_ACTIONS: Final[Mapping[str, ActionSpec]] = {
    name: _spec(name, function)
    for name, function in (
        ("health", health),
        ("ws.subscribe", subscribe),
        ("ws.unsubscribe", unsubscribe),
        ("ws.authenticate", authenticate),
        ("ws.cancel", cancel),
    )
}
