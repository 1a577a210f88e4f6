"""Who is behind a connection: identities, and the values that settings and hooks say special things with."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast, final
from uuid import UUID

from wsproto_core.errors import ConfigurationError
from wsproto_core.problems import Problem
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
    "UserId",
    "as_identity",
    "identity_document",
    "identity_from",
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

AllowedOrigins = _Marker | Iterable[str | re.Pattern[str]]


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

    def check_current(self, grace: float) -> None:
        """Refuse a credential that has ended.

        Args:
            grace: seconds after its end in which it still counts.

        Raises:
            Problem: ``unauthenticated``.
        """
        if self.expires_at is not None and self.expires_at + grace < time.time():
            raise Problem("The credential has expired; get a new one.", code="unauthenticated")

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


def identity_document(identity: Identity) -> dict[str, Any]:
    """Return an identity as an object that JSON can carry, if it can carry the state."""
    user_id = identity.user_id
    kind = "uuid" if isinstance(user_id, UUID) else type(user_id).__name__
    return {
        "user": [kind, str(user_id) if kind == "uuid" else user_id],
        "expires_at": identity.expires_at,
        "scopes": sorted(identity.scopes),
        "state": dict(identity.state),
    }


def identity_from(document: Mapping[str, Any]) -> Identity:
    """Return the identity that `identity_document` was given.

    Raises:
        ValueError, TypeError, KeyError: it is no such document.
    """
    kind, user_id = document["user"]
    identity = Identity(expires_at=document["expires_at"], scopes=document["scopes"], state=document["state"])
    return replace(identity, user_id=UUID(user_id) if kind == "uuid" else cast("UserId | None", user_id))
