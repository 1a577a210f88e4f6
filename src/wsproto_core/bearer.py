"""What the adapters for tokens share: which tokens are theirs, what stands for none, and which secrets are any good."""

from __future__ import annotations

from typing import Any, Final

from wsproto_core.errors import ConfigurationError
from wsproto_core.problems import Problem
from wsproto_core.security import AUTHENTICATE_LATER, Identity, _Marker
from wsproto_core.transport import ConnectionInfo

__all__ = ["BearerTokens", "check_secret", "invalid_token"]

_SOURCES: Final = frozenset({"bearer", "subprotocol", "query", "message"})
_SECRET_BYTES: Final = 16


class BearerTokens:
    """The tokens of connections, and what a connection without one is.

    Args:
        name: of the authenticator, for what is wrong with its options.
        optional: whether a connection without a token is anonymous.
        later: whether it must send ``ws.authenticate``.

    Raises:
        ConfigurationError: both at once, or what is neither True nor False.
    """

    __slots__ = ("_none",)

    def __init__(self, name: str, *, optional: bool, later: bool) -> None:
        for option, value in (("optional", optional), ("later", later)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{name}: {option} must be True or False, not {type(value).__name__}.")
        if optional and later:
            raise ConfigurationError(
                f"{name}: without a token a connection is either anonymous, with optional=True, or authenticates by "
                "message, with later=True; choose one."
            )
        self._none: Identity | _Marker | None = Identity() if optional else AUTHENTICATE_LATER if later else None

    def of(self, info: ConnectionInfo) -> str | None:
        """Return the token of a connection; a password (``basic``) and a ticket are none."""
        return info.token if info.source in _SOURCES else None

    @staticmethod
    def credentials(**bearer: str) -> dict[str, dict[str, str]]:
        """Return the ways that tokens take to get in, for the AsyncAPI document.

        Args:
            bearer: what more there is to say of them, as ``bearerFormat="JWT"``.
        """
        return {"bearer": dict(bearer), "subprotocol": {}, "message": {}}

    def without(self) -> Identity | _Marker:
        """Return what a connection without a token is.

        Raises:
            Problem: ``unauthenticated``: it needs one.
        """
        if self._none is None:
            raise Problem("A token is needed.", code="unauthenticated")
        return self._none


def invalid_token() -> Problem:
    """Return the one answer to all that is wrong with a token: what exactly it is helps only who forges one."""
    return Problem("The token is not valid, or not any more; get a new one.", code="unauthenticated")


def check_secret(secret: Any, name: str) -> None:
    """Check what tokens are signed with.

    Args:
        secret: text or bytes.
        name: of the option.

    Raises:
        ConfigurationError: no text and no bytes, empty, or so short that it can be guessed.
    """
    way_out = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
    if not isinstance(secret, (str, bytes)):
        raise ConfigurationError(f"{name} must be a str or bytes, not {type(secret).__name__}; {way_out}")
    size = len(secret.encode() if isinstance(secret, str) else secret)
    if not size:
        raise ConfigurationError(f"{name} is empty, so anybody could sign; {way_out}")
    if size < _SECRET_BYTES:
        raise ConfigurationError(
            f"{name} has {size} bytes and can be guessed; it needs {_SECRET_BYTES} at least: {way_out}"
        )
