"""Who may connect: the origin of the page, and the identity behind the connection.

Browsers send cookies along with a WebSocket handshake from any page, so without a check of the Origin header any site
can act as the user who visits it (CWE-1385). The same origin is the default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast, final
from uuid import UUID

from wsproto_core.errors import ConfigurationError
from wsproto_core.topics import name_text
from wsproto_core.transport import ConnectionInfo

__all__ = [
    "ANY_ORIGIN",
    "AUTHENTICATE_LATER",
    "NOT_GIVEN",
    "SAME_ORIGIN",
    "AllowedOrigins",
    "Authenticate",
    "Identity",
    "OriginPolicy",
    "UserId",
    "as_identity",
]

UserId = int | str | UUID


@final
class _Marker:
    """A value that is only ever compared with ``is``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NOT_GIVEN: Final = _Marker("NOT_GIVEN")
"""No user id was given, as opposed to None: anonymous."""
AUTHENTICATE_LATER: Final = _Marker("AUTHENTICATE_LATER")
"""Returned by ``authenticate``: the client must send ``ws.authenticate`` within the authentication time-out."""
SAME_ORIGIN: Final = _Marker("SAME_ORIGIN")
"""Pages of the host that the handshake went to, and clients that are no browser."""
ANY_ORIGIN: Final = _Marker("ANY_ORIGIN")
"""No check: any page on the web may connect, with the cookies of its visitor."""

AllowedOrigins = _Marker | Iterable[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a connection, as ``authenticate`` found out.

    Attributes:
        user_id: None is anonymous.
        expires_at: when the credential ends, in seconds since the epoch; None is never.
        scopes: what the credential allows.
        state: put into the connection's state.
    """

    user_id: UserId | None = None
    expires_at: float | None = None
    scopes: frozenset[str] = frozenset()
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if isinstance(cast("object", self.scopes), str):
            raise ConfigurationError(f"Identity.scopes takes several scopes, not one string: [{self.scopes!r}].")
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        check_user_id(self.user_id)
        _check_expiry(self.expires_at)


def _check_expiry(expires_at: object) -> None:
    if expires_at is None:
        return
    if isinstance(expires_at, bool) or not isinstance(expires_at, (int, float)):
        kind = type(expires_at).__name__
        raise TypeError(f"Identity.expires_at is a number of seconds since the epoch or None, not {kind}.")
    if not -math.inf < expires_at < math.inf:
        raise ValueError("Identity.expires_at must be finite; None is never.")


Authenticated = Identity | UserId | _Marker | None
Authenticate = Callable[[ConnectionInfo], Authenticated | Awaitable[Authenticated]]


def check_user_id(user_id: object) -> UserId | None:
    """Return a user id.

    Raises:
        TypeError: not an int, a str, a UUID or None.
        ValueError: an empty string, or one with a lone surrogate.
    """
    if user_id is None:
        return None
    if isinstance(user_id, bool) or not isinstance(user_id, (int, str, UUID)):
        raise TypeError(f"user_id must be an int, a str, a UUID or None (anonymous), not {type(user_id).__name__}.")
    if user_id == "":
        raise ValueError("user_id must not be empty; None is anonymous.")
    name_text(user_id, "user_id")
    return user_id


def as_identity(value: object) -> Identity | None:
    """Return what ``authenticate`` returned as an identity; None stands for `AUTHENTICATE_LATER`.

    Raises:
        TypeError: neither a user id nor one of the values that ``authenticate`` may return.
    """
    if value is AUTHENTICATE_LATER:
        return None
    if isinstance(value, Identity):
        return value
    return Identity(check_user_id(value))


class OriginPolicy:
    """Decides whether a page may connect, by the Origin header of the handshake (RFC 6455 section 10.2).

    Args:
        allowed: `SAME_ORIGIN`, `ANY_ORIGIN`, or origins such as ``https://app.example.com``. A list replaces the
            same origin; name it in the list to have both. A client that sends no Origin is no browser and passes.

    Raises:
        ConfigurationError: an entry that is no origin.
    """

    def __init__(self, allowed: AllowedOrigins = SAME_ORIGIN) -> None:
        self._any = allowed is ANY_ORIGIN
        self._same = allowed is SAME_ORIGIN
        self._listed: frozenset[tuple[str, str, int]] = frozenset()
        if isinstance(allowed, _Marker):
            if not (self._any or self._same):
                raise ConfigurationError(f"allowed_origins: {allowed!r} is none of SAME_ORIGIN and ANY_ORIGIN.")
            return
        if isinstance(allowed, str):
            raise ConfigurationError(f"allowed_origins takes a list of origins, not one string: [{allowed!r}].")
        if not isinstance(allowed, Iterable):
            raise ConfigurationError(
                f"allowed_origins must be SAME_ORIGIN, ANY_ORIGIN or a list of origins, not {type(allowed).__name__}."
            )
        listed = []
        for entry in cast("Iterable[object]", allowed):
            if entry == "*":
                raise ConfigurationError("allowed_origins: instead of '*' say allowed_origins=ANY_ORIGIN.")
            if entry is SAME_ORIGIN:
                self._same = True
                continue
            parsed = parse_origin(entry) if isinstance(entry, str) else None
            if parsed is None:
                raise ConfigurationError(
                    f"allowed_origins: {entry!r} is no origin; write scheme, host and port only: https://example.com"
                )
            listed.append(parsed)
        self._listed = frozenset(listed)

    def allows(self, info: ConnectionInfo) -> bool:
        """Say whether this connection may be opened."""
        if self._any:
            return True
        origins = info.headers.get_all("origin")
        if not origins:
            return True
        # A second Origin field is nothing that a browser sends.
        origin = parse_origin(origins[0]) if len(origins) == 1 else None
        return origin is not None and (origin in self._listed or (self._same and origin == own_origin(info)))

    def describe(self, info: ConnectionInfo) -> str:
        """Say which origins would have passed, for the log."""
        allowed = [_origin_text(*origin) for origin in sorted(self._listed)]
        own = own_origin(info) if self._same else None
        if own is not None:
            allowed.append(_origin_text(*own))
        return ", ".join(allowed) or "none"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# As browsers write it (RFC 6454 section 6.2). Parsers of URLs forgive too much: they take out tabs, for example.
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)


def parse_origin(text: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an origin (RFC 6454 section 6.2), or None for ``null`` and what is no origin."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, host = match[1].lower(), match[2].lower().strip("[]")
    port = int(match[3]) if match[3] is not None else _DEFAULT_PORTS[scheme]
    return (scheme, host, port) if port <= 65_535 else None


def own_origin(info: ConnectionInfo) -> tuple[str, str, int] | None:
    """Return the origin that the handshake itself went to: its scheme and its Host header."""
    hosts = info.headers.get_all("host")
    if len(hosts) != 1:
        return None
    scheme = "https" if info.scheme in {"wss", "https"} else "http"
    return parse_origin(f"{scheme}://{hosts[0]}")


def _origin_text(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")
