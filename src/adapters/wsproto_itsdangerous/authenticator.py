"""Signed tokens with a date, which the application issues over HTTP and takes back at the handshake."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any, Final, cast

from itsdangerous import BadData, URLSafeTimedSerializer

from wsproto_core.bearer import BearerTokens, check_secret, invalid_token
from wsproto_core.errors import ConfigurationError
from wsproto_core.security import Authenticated, Identity, UserId, as_identity, identity_document, identity_from
from wsproto_core.transport import ConnectionInfo

__all__ = ["SignedTokenAuthenticator"]

_NAME: Final = "SignedTokenAuthenticator"


class SignedTokenAuthenticator:
    """Issues signed tokens, and finds out who connects from them; given to ``configure_websocket(authenticate=…)``.

    A token can be used again until it ends, and nothing takes it back before; everybody who has it can read what is in
    it, the state included. It is made of characters that may travel as a subprotocol.

    Args:
        secret_key: of 16 bytes at least; or several, the oldest first, of which the last one signs.
        salt: keeps these tokens apart from what else is signed with the same secret.
        max_age: seconds until a token ends.
        optional: whether connections without a token are anonymous.
        later: whether they authenticate later, with ``ws.authenticate``.

    Raises:
        ConfigurationError: an option that makes no sense; it names the way out.
    """

    def __init__(
        self,
        secret_key: str | bytes | Iterable[str] | Iterable[bytes],
        *,
        salt: str = "wsproto",
        max_age: float,
        optional: bool = False,
        later: bool = False,
    ) -> None:
        self._tokens = BearerTokens(_NAME, optional=optional, later=later)
        keys: list[Any] = [secret_key] if isinstance(secret_key, (str, bytes)) else _listed(secret_key)
        for key in keys:
            check_secret(key, f"{_NAME}: secret_key")
        if not (isinstance(salt, str) and salt):
            raise ConfigurationError(f"{_NAME}: salt is a text that says what the tokens are for, not {salt!r}.")
        if isinstance(max_age, bool) or not isinstance(max_age, (int, float)) or not 0 < max_age < math.inf:
            raise ConfigurationError(f"{_NAME}: max_age is a number of seconds above 0, not {max_age!r}.")
        self._max_age = max_age
        self._serializer = URLSafeTimedSerializer(
            keys, salt=salt, signer_kwargs={"digest_method": hashlib.sha256}, serializer_kwargs={"allow_nan": False}
        )

    def issue(self, identity: Identity | UserId | None) -> str:
        """Return a new token.

        Args:
            identity: who it is for: a user id, None for anonymous, or an `Identity` whose state JSON can carry.

        Raises:
            TypeError: no identity, or a state that JSON cannot carry.
        """
        found = as_identity(identity)
        if found is None:
            raise TypeError("A token is for somebody: a user id, None for anonymous, or an Identity.")
        token = self._serializer.dumps(identity_document(found))
        return token if isinstance(token, str) else token.decode()

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """The ways that its tokens take to get in, for the AsyncAPI document."""
        return self._tokens.credentials()

    def __call__(self, info: ConnectionInfo) -> Authenticated:
        """Return who connects, or `AUTHENTICATE_LATER`.

        Raises:
            Problem: ``unauthenticated``: a token that is no good, or none.
        """
        token = self._tokens.of(info)
        if token is None:
            return self._tokens.without()
        try:
            # It compares the age with it, and a float does as well as the int that it asks for.
            max_age = cast("int", self._max_age)
            document, signed_at = self._serializer.loads(token, max_age=max_age, return_timestamp=True)
            identity = identity_from(document)
        except (BadData, ValueError, TypeError, KeyError):
            # Whatever the library says may quote the token.
            raise invalid_token() from None
        ends = signed_at.timestamp() + self._max_age
        if identity.expires_at is not None:
            ends = min(ends, identity.expires_at)
        return Identity(identity.user_id, expires_at=ends, scopes=identity.scopes, state=identity.state)


def _listed(keys: object) -> list[Any]:
    """Return several keys; nothing at all is an empty one, and what is no list is no key either, as is then told."""
    return (list(keys) or [""]) if isinstance(keys, Iterable) else [keys]
