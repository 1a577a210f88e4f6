"""The settings of a proxy, checked when they are given."""

from __future__ import annotations

import ssl as tls
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from wsproto_core.errors import ConfigurationError
from wsproto_core.origins import OriginPolicy
from wsproto_core.problems import check_problem_type_base_url
from wsproto_core.security import SAME_ORIGIN, AllowedOrigins
from wsproto_core.settings import check_option_names
from wsproto_proxy.headers import check_fixed, check_forwarded

__all__ = ["ProxyOptions", "ProxySettings"]


class ProxyOptions(TypedDict, total=False):
    """The keyword arguments of a proxy; see `ProxySettings`."""

    forward_headers: Iterable[str]
    headers: Mapping[str, str]
    forward_path: bool
    forward_query: bool
    trust_forwarded: bool
    allowed_origins: AllowedOrigins
    require_origin: bool
    problem_type_base_url: str | None
    max_connections: int | None
    max_message_bytes: int | None
    compression: bool
    ssl: tls.SSLContext | None
    connect_timeout: float | None
    send_timeout: float | None
    close_timeout: float
    idle_timeout: float | None
    ping_interval: float | None
    ping_timeout: float | None
    install_signal_handlers: bool


_FLAGS: Final = (
    "forward_path", "forward_query", "trust_forwarded", "require_origin", "compression", "install_signal_handlers",
)  # fmt: skip
_SECONDS: Final = (
    "connect_timeout", "send_timeout", "close_timeout", "idle_timeout", "ping_interval", "ping_timeout",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """How a proxy behaves. Times are in seconds, and None switches a limit off.

    Attributes:
        forward_headers: names of the client's headers that go on to the service; nothing else of them does. Cookies and
            ``Authorization`` are no exception. With ``Authorization`` goes the token that a client sends as a
            subprotocol (protocol section 5).
        headers: what the service is sent besides, the same for every connection.
        forward_path: whether the path goes on: below a mount, what follows the mount's own.
        forward_query: whether the query goes on. A ticket or a token may be in it.
        trust_forwarded: whether ``X-Forwarded-*`` and ``Forwarded`` of the request are true, as behind a proxy of one's
            own. Then they are continued; else they are replaced.
        allowed_origins: which pages may connect; see `wsproto_core.Settings`.
        require_origin: whether clients that send no Origin are refused.
        problem_type_base_url: what problem type URLs begin with; None makes them ``about:blank``.
        max_connections: at once, in this process, those on their way included.
        max_message_bytes: of one message, in either direction.
        compression: whether permessage-deflate is offered to the service. What a client has is the server's matter.
        ssl: for ``wss``, when the system's certificates are not those that count.
        connect_timeout: until the service has answered the handshake.
        send_timeout: that one message may wait because its receiver does not read.
        close_timeout: for the closing handshake with the service, after which its socket is closed.
        idle_timeout: without a message in either direction, after which both sides are closed.
        ping_interval: between pings to the service.
        ping_timeout: that the service may take to answer one.
        install_signal_handlers: whether SIGTERM and SIGINT begin the drain (see `WebSocketProxy.drain`).

    Raises:
        ConfigurationError: a value that makes no sense; the message names the setting and the way out.
    """

    forward_headers: Iterable[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    forward_path: bool = False
    forward_query: bool = False
    trust_forwarded: bool = False
    allowed_origins: AllowedOrigins = SAME_ORIGIN
    require_origin: bool = False
    problem_type_base_url: str | None = None
    max_connections: int | None = 10_000
    max_message_bytes: int | None = 1_048_576
    compression: bool = False
    ssl: tls.SSLContext | None = None
    connect_timeout: float | None = 10.0
    send_timeout: float | None = 60.0
    close_timeout: float = 5.0
    idle_timeout: float | None = None
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    install_signal_handlers: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "forward_headers", check_forwarded(self.forward_headers))
        object.__setattr__(self, "headers", check_fixed(self.headers))
        object.__setattr__(self, "problem_type_base_url", check_problem_type_base_url(self.problem_type_base_url))
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False, not {getattr(self, name)!r}.")
        for name in _SECONDS:
            _check_seconds(name, getattr(self, name), optional=name != "close_timeout")
        for name in ("max_connections", "max_message_bytes"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigurationError(f"{name} must be a number above 0, or None for no limit, not {value!r}.")
        if self.ssl is not None and not isinstance(self.ssl, tls.SSLContext):
            raise ConfigurationError(f"ssl must be an ssl.SSLContext or None, not {type(self.ssl).__name__}.")
        if isinstance(self.allowed_origins, Iterable) and not isinstance(self.allowed_origins, str):
            object.__setattr__(self, "allowed_origins", tuple(self.allowed_origins))
        OriginPolicy(self.allowed_origins)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ProxySettings:
        """Make settings of keyword arguments.

        Raises:
            ConfigurationError: an unknown name, with the one that was probably meant; a value that makes no sense.
        """
        check_option_names(options, cls, "WebSocketProxy has no option")
        return cls(**options)


def _check_seconds(name: str, value: object, *, optional: bool) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        never = ", or None for never" if optional else ""
        raise ConfigurationError(f"{name} must be a number of seconds above 0{never}, not {value!r}.")
