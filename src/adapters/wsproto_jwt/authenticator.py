"""Who a JSON Web Token (RFC 7519) was issued to, as far as the application's key can tell."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, cast

import jwt
from jwt.algorithms import get_default_algorithms, requires_cryptography

from wsproto_core.bearer import BearerTokens, check_secret, invalid_token
from wsproto_core.errors import ConfigurationError
from wsproto_core.problems import Problem
from wsproto_core.security import Authenticated, Identity
from wsproto_core.transport import ConnectionInfo

__all__ = ["JwtAuthenticator", "KeyFunction"]

KeyFunction = Callable[[str], Any | Awaitable[Any]]
"""Finds the key of a token, which nobody has verified yet, or None; ``PyJWKClient(…).get_signing_key_from_jwt`` is one.

A plain function runs in a thread and may wait.
"""

log = logging.getLogger("wsproto_core.security")

_NAME: Final = "JwtAuthenticator"
# What a token makes of the library beside its own exceptions: numbers, texts and nesting that are none.
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class JwtAuthenticator:
    """Finds out who connects from a JSON Web Token; given to ``configure_websocket(authenticate=…)``.

    Args:
        key: a secret of 16 bytes at least (32 for HS256, says RFC 7518), a public key as PEM or as an object, a
            ``PyJWK``, or a function that finds the key of a token.
        algorithms: that tokens may be signed with. There is no default: a token that chooses its own can be forged.
        audience: whom tokens are for, one or several. Without it a token that names an audience is refused.
        issuer: who may issue them, one or several.
        user_claim: the claim that names the user, a text or an integer.
        leeway: seconds that the clocks of issuer and server may be apart.
        require_exp: whether a token must say when it ends. One that does not would open connections for ever.
        scopes_claim: the claim that names the scopes, as words of one text or as a list; None is none.
        optional: whether connections without a token are anonymous.
        later: whether they authenticate later, with ``ws.authenticate``.

    Raises:
        ConfigurationError: an option that makes no sense, or that would let in who must not; it names the way out.
    """

    def __init__(
        self,
        key: Any,
        *,
        algorithms: Iterable[str],
        audience: str | Iterable[str] | None = None,
        issuer: str | Iterable[str] | None = None,
        user_claim: str = "sub",
        leeway: float = 0,
        require_exp: bool = True,
        scopes_claim: str | None = "scope",
        optional: bool = False,
        later: bool = False,
    ) -> None:
        self._tokens = BearerTokens(_NAME, optional=optional, later=later)
        self._algorithms = _checked_algorithms(algorithms)
        self._audience = _names("audience", audience)
        self._issuer = _names("issuer", issuer)
        for name, claim in (("user_claim", user_claim), ("scopes_claim", scopes_claim)):
            if not (isinstance(claim, str) and claim) and not (name == "scopes_claim" and claim is None):
                raise ConfigurationError(f"{_NAME}: {name} is the name of a claim, not {claim!r}.")
        if isinstance(leeway, bool) or not isinstance(leeway, (int, float)) or not 0 <= leeway < math.inf:
            raise ConfigurationError(f"{_NAME}: leeway is a number of seconds from 0 on, not {leeway!r}.")
        if not isinstance(require_exp, bool):
            raise ConfigurationError(f"{_NAME}: require_exp is True or False, not {require_exp!r}.")
        self._required = [user_claim, "exp"] if require_exp else [user_claim]
        self._user_claim, self._scopes_claim, self._leeway = user_claim, scopes_claim, leeway
        if not callable(key):
            self._check_key(key)
        self._key = key

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """The ways that its tokens take to get in, for the AsyncAPI document."""
        return self._tokens.credentials(bearerFormat="JWT")

    async def __call__(self, info: ConnectionInfo) -> Authenticated:
        """Return who connects, or `AUTHENTICATE_LATER`.

        Raises:
            Problem: ``unauthenticated``: a token that is no good, or none; ``unavailable``: the keys cannot be had.
        """
        token = self._tokens.of(info)
        if token is None:
            return self._tokens.without()
        try:
            # Before somebody is asked for a key, so that not every text is worth a request to a server of keys.
            algorithm = jwt.get_unverified_header(token).get("alg")
        except _BROKEN:
            raise invalid_token() from None
        if algorithm not in self._algorithms:
            log.debug("a token was refused: its algorithm is not one of %s", ", ".join(self._algorithms))
            raise invalid_token()
        key = await self._find_key(token) if callable(self._key) else self._key
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                # The library refuses a `sub` that is an integer; `_identity` looks at the user itself.
                options={"require": self._required, "verify_sub": False},
            )
            return self._identity(claims)
        except _BROKEN as error:
            # Whatever the library says may quote the token; the name of its exception does not.
            log.debug("a token was refused: %s", type(error).__name__)
            raise invalid_token() from None

    async def _find_key(self, token: str) -> Any:
        find: KeyFunction = self._key
        try:
            if inspect.iscoroutinefunction(find) or inspect.iscoroutinefunction(type(find).__call__):
                key = find(token)
            else:
                key = await asyncio.to_thread(find, token)
            if inspect.isawaitable(key):
                key = await key
        except jwt.PyJWKClientConnectionError:
            raise Problem("Tokens cannot be checked now; try again.", code="unavailable") from None
        except jwt.PyJWTError:
            raise invalid_token() from None
        if key is None:
            raise invalid_token()
        self._check_key(key)
        return key

    def _check_key(self, key: Any) -> None:
        if hasattr(key, "get_signing_key_from_jwt"):
            raise ConfigurationError(f"{_NAME}: give it the method: PyJWKClient(…).get_signing_key_from_jwt.")
        if isinstance(key, jwt.PyJWK):
            return
        known = get_default_algorithms()
        for name in self._algorithms:
            if name.startswith("HS"):
                check_secret(key, f"{_NAME}: the key of {name}")
            try:
                known[name].prepare_key(key)
            except _BROKEN:
                kind = "a secret; a public key goes with RS256, ES256 and so on" if name.startswith("HS") else (
                    "a public key of its kind, as PEM or as an object"
                )  # fmt: skip
                # Without what the library says: it is about a key.
                raise ConfigurationError(f"{_NAME}: the key of {name} must be {kind}.") from None

    def _identity(self, claims: dict[str, Any]) -> Identity:
        user_id, expires_at = claims[self._user_claim], claims.get("exp")
        if isinstance(user_id, bool) or not isinstance(user_id, (str, int)):
            raise TypeError(f"the user is a {type(user_id).__name__}")
        return Identity(
            user_id,
            expires_at=None if expires_at is None else float(expires_at) + self._leeway,
            scopes=self._scopes(claims),
        )

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        value = claims.get(self._scopes_claim) if self._scopes_claim is not None else None
        if value is None:
            return frozenset()
        if isinstance(value, str):
            return frozenset(value.split())
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise TypeError("the scopes are neither a text nor a list of texts")
        return frozenset(cast("list[str]", value))


def _checked_algorithms(algorithms: Iterable[str]) -> tuple[str, ...]:
    if isinstance(algorithms, str):
        raise ConfigurationError(f"{_NAME}: algorithms takes a list, not one string: [{algorithms!r}].")
    if not isinstance(algorithms, Iterable):
        raise ConfigurationError(f"{_NAME}: algorithms is a list of names, not {type(algorithms).__name__}.")
    chosen = tuple(algorithms)
    if not chosen:
        raise ConfigurationError(f"{_NAME}: algorithms is empty; say what tokens are signed with, as in ['RS256'].")
    known = get_default_algorithms()
    for name in cast("tuple[object, ...]", chosen):
        if isinstance(name, str) and name.lower() == "none":
            raise ConfigurationError(f"{_NAME}: a token with the algorithm 'none' is not signed; anybody can make one.")
        if name in requires_cryptography and name not in known:
            raise ConfigurationError(f"{_NAME}: {name} needs cryptography, as in: pip install 'pyjwt[crypto]'.")
        if name not in known:
            raise ConfigurationError(f"{_NAME}: there is no algorithm {name!r}; there are {', '.join(sorted(known))}.")
    if len({name.startswith("HS") for name in chosen}) > 1:
        # A public key is known to all; where it could be taken for a secret, anybody could sign with it.
        raise ConfigurationError(
            f"{_NAME}: algorithms with a secret (HS…) and algorithms with a public key must not go together; "
            "make an authenticator for each."
        )
    return chosen


def _names(option: str, value: str | Iterable[str] | None) -> str | list[str] | None:
    """Return one name, several, or None for no check; nothing at all would be no check either."""
    if value is None:
        return None
    names: Any = value if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(
            f"{_NAME}: {option} is a name or a list of names, or None for no check, not {value!r}."
        )
    return cast("str | list[str]", names)
