"""The ways to get in, as AsyncAPI security schemes: what is configured, and what ``authenticate`` takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final

from wsproto_core.asyncapi.mentions import texts_in
from wsproto_core.asyncapi.sockets import Socket
from wsproto_core.settings import Settings

__all__ = ["WAYS", "scheme_of", "security_schemes"]

WAYS: Final = ("bearer", "basic", "subprotocol", "ticket", "query", "cookie", "message")
"""The ways, as `ConnectionInfo.source` calls them, and ``cookie``."""

# What `authenticate` is asked about wherever it is; the settings say whether there are tickets and tokens in URLs.
_ASKED: Final = ("bearer", "basic", "subprotocol", "cookie", "message")
_USUAL: Final = ("bearer", "subprotocol", "message")


def security_schemes(settings: Settings, sockets: Iterable[Socket]) -> dict[str, dict[str, Any]]:
    """Return the security schemes by name: those of the settings, then those that the host knows of.

    An ``authenticate`` may say itself what it takes, with an attribute ``credentials``: ways, or names with AsyncAPI
    security schemes. Else its code is looked at: the ways that it names, or a bearer token where it names none.
    """
    schemes: dict[str, dict[str, Any]] = {}
    for way, more in _configured(settings).items():
        schemes[way] = {**scheme_of(way, settings), **more} if way in WAYS else dict(more)
    for socket in sockets:
        for name, scheme in socket.security.items():
            schemes.setdefault(name, dict(scheme))
    return schemes


def scheme_of(way: str, settings: Settings | None = None) -> dict[str, Any]:
    """Return the security scheme of one of the `WAYS` (AsyncAPI 3.1, "Security Scheme Object")."""
    scheme: dict[str, Any]
    match way:
        case "bearer":
            scheme = {
                "type": "http",
                "scheme": "bearer",
                "description": "`Authorization: Bearer TOKEN` at the handshake.",
            }
        case "basic":
            scheme = {
                "type": "http",
                "scheme": "basic",
                "description": "`Authorization: Basic …` at the handshake.",
            }
        case "subprotocol":
            scheme = {
                "type": "httpApiKey",
                "in": "header",
                "name": "Sec-WebSocket-Protocol",
                "description": "For browsers: the subprotocols `access-token, TOKEN`, beside `wsproto.v1.json`. The "
                "token is never echoed.",
            }
        case "ticket":
            scheme = {
                "type": "httpApiKey",
                "in": "query",
                "name": "ticket",
                "description": "A one-time ticket, got over HTTP just before.",
            }
        case "query":
            name = settings.query_token if settings is not None else None
            scheme = {
                "type": "httpApiKey",
                "in": "query",
                "name": name or "token",
                "description": "A token in the URL.",
            }
        case "cookie":
            scheme = {
                "type": "httpApiKey",
                "in": "cookie",
                "name": "session",
                "description": "The session of the page.",
            }
        case _:
            scheme = {
                "type": "apiKey",
                "in": "password",
                "description": "The action `ws.authenticate` with the token, as a message.",
            }
    return {**scheme, "x-wsproto-way": way}


def _configured(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """Return the ways that the settings open, each with what more there is to say of its scheme."""
    authenticate = settings.authenticate
    found: dict[str, Mapping[str, Any]] = {}
    if authenticate is not None:
        # Hosts may have wrapped it, to run it in a thread.
        said = getattr(inspect.unwrap(authenticate), "credentials", None)
        if said is not None:
            found = dict(said) if isinstance(said, Mapping) else {way: {} for way in said}
        else:
            texts = texts_in(authenticate)
            named = [way for way in WAYS if way in texts or (way == "cookie" and "cookies" in texts)]
            found = {way: {} for way in (named or _USUAL)}
    order: dict[str, Mapping[str, Any]] = {way: found[way] for way in _ASKED if way in found}
    if settings.tickets is not None:
        order["ticket"] = {}
    if settings.query_token is not None and authenticate is not None:
        order["query"] = {}
    return {**order, **{name: more for name, more in found.items() if name not in WAYS}}
