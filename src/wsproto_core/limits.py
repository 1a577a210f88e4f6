"""What one connection and one process may use. Seconds and bytes; None switches a limit off."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from wsproto_core.errors import ConfigurationError

__all__ = ["Limits", "SlowConsumer"]

SlowConsumer = Literal["close", "drop_oldest", "conflate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a hub. The defaults suit a public server.

    Attributes:
        max_connections: connections of this process.
        max_connections_per_user: connections of one user in this process.
        max_message_bytes: bytes of one message from a client; above it the connection is closed with 1009.
        inbox: messages of one connection that wait for their turn; reading stops while it is full.
        inbox_bytes: bytes of the same.
        outbox_messages: events from elsewhere that wait to be written to one connection. Answers to the connection's
            own requests wait for each other from as many messages on, and take no room from events.
        outbox_bytes: bytes of the same. Where no event waits, any one is taken.
        slow_consumer: what happens to a connection for which too many events wait when one more comes from elsewhere:
            ``"close"`` ends it with 1013; ``"drop_oldest"`` loses the events that wait longest; ``"conflate"`` keeps
            of those that wait only the newest of each key (see `Event.to`), and closes when that is not enough.
            What is lost shows as a hole in ``seq``, and is counted as ``lost_events``.
        rate: messages per second that one connection may send, or a pair of that and of how many may come at once;
            a message above it is answered with ``rate_limited``.
        heartbeat_interval: seconds of silence after which the other side is asked whether it is there: with pings of
            the WebSocket protocol where the host lets us send them; where not, clients that opted in are told to send
            ``health``, and closed with 3008 after three intervals without a word.
        idle_timeout: seconds without a message from the client, after which the connection is closed with 3008.
        max_lifetime: seconds after which any connection is closed with 3008.
        action_timeout: seconds for one action.
        authentication_timeout: seconds until a connection that is to authenticate later must have done so.
        credential_grace: seconds after the end of a credential until its connection is closed with 3000, in which
            ``ws.authenticate`` may renew it.
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
    rate: float | tuple[float, int] | None = None
    heartbeat_interval: float | None = None
    idle_timeout: float | None = None
    max_lifetime: float | None = None
    action_timeout: float | None = 30
    authentication_timeout: float | None = 10
    credential_grace: float | None = 5
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
            if each.name == "rate":
                object.__setattr__(self, "rate", _checked_rate(value))
                continue
            optional = "None" in str(each.type)
            if value is None and optional:
                continue
            _check_number(each.name, value, whole="int" in str(each.type), optional=optional)


def _checked_rate(value: Any) -> float | tuple[float, int] | None:
    if value is None:
        return None
    # A list is what a pair becomes in JSON.
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2
    per_second: Any
    burst: Any
    per_second, burst = value if is_pair else (value, 1)
    for number, kind in ((per_second, (int, float)), (burst, int)):
        if isinstance(number, bool) or not isinstance(number, kind) or not 0 < number < math.inf:
            raise ConfigurationError(
                "Limits.rate is a number of messages per second above 0, or a pair of that and of a whole number of "
                f"messages that may come at once, as in rate=(10, 20), not {value!r}; None switches it off."
            )
    return (per_second, burst) if is_pair else per_second


def _check_number(name: str, value: object, *, whole: bool, optional: bool) -> None:
    unit = "whole number" if whole else "number of seconds"
    off = "; None switches it off" if optional else ""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ConfigurationError(f"Limits.{name} is a {unit}, not {value!r}{off}.")
    if not 0 < value < math.inf:
        raise ConfigurationError(f"Limits.{name} must be above 0, not {value!r}{off}.")
