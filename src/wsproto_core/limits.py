"""What one connection and one process may use. Seconds and bytes; None switches a limit off."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from wsproto_core.errors import ConfigurationError

__all__ = ["Limits", "SlowConsumer"]

SlowConsumer = Literal["close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a hub. The defaults suit a public server.

    Attributes:
        max_connections: connections of this process.
        max_connections_per_user: connections of one user in this process.
        max_message_bytes: bytes of one message from a client; above it the connection is closed with 1009.
        inbox: messages of one connection that wait for their turn; reading stops while it is full.
        inbox_bytes: bytes of the same.
        outbox_messages: messages to one connection that wait to be written.
        outbox_bytes: bytes of the same. An empty outbox takes any one message.
        slow_consumer: what happens to a connection whose outbox is full when an event comes from elsewhere:
            ``"close"`` ends it with 1013.
        action_timeout: seconds for one action.
        authentication_timeout: seconds until a connection that is to authenticate later must have done so.
        send_timeout: seconds that one write may wait for the client to read.
        drain_timeout: seconds for running actions and closing handshakes when the server stops.

    Raises:
        ConfigurationError: a value that makes no sense.
    """

    max_connections: int | None = 10_000
    max_connections_per_user: int | None = None
    max_message_bytes: int | None = 1_048_576
    inbox: int = 1_024
    inbox_bytes: int = 1_048_576
    outbox_messages: int = 1_000
    outbox_bytes: int = 1_048_576
    slow_consumer: SlowConsumer = "close"
    action_timeout: float | None = 30
    authentication_timeout: float | None = 10
    send_timeout: float | None = 10
    drain_timeout: float | None = 10

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "slow_consumer":
                if value not in get_args(SlowConsumer):
                    raise ConfigurationError(
                        f"Limits.slow_consumer is one of {', '.join(map(repr, get_args(SlowConsumer)))}, not {value!r}."
                    )
                continue
            optional = "None" in str(each.type)
            if value is None and optional:
                continue
            _check_number(each.name, value, whole="int" in str(each.type), optional=optional)


def _check_number(name: str, value: object, *, whole: bool, optional: bool) -> None:
    unit = "whole number" if whole else "number of seconds"
    off = "; None switches it off" if optional else ""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ConfigurationError(f"Limits.{name} is a {unit}, not {value!r}{off}.")
    if not 0 < value < math.inf:
        raise ConfigurationError(f"Limits.{name} must be above 0, not {value!r}{off}.")
