"""Which pages may connect: the Origin header of the handshake.

Browsers send cookies along with a WebSocket handshake from any page, so without a check of the Origin header any site
can act as the user who visits it (CWE-1385). The same origin is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, cast

from wsproto_core.errors import ConfigurationError
from wsproto_core.security import ANY_ORIGIN, SAME_ORIGIN, AllowedOrigins, _Marker
from wsproto_core.transport import ConnectionInfo

__all__ = ["OriginPolicy", "own_origin", "parse_origin"]

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class OriginPolicy:
    """Decides whether a page may connect, by the Origin header of the handshake (RFC 6455 section 10.2).

    Args:
        allowed: `SAME_ORIGIN`, `ANY_ORIGIN`, or a list of origins such as ``https://app.example.com``, of all
            subdomains of a host as ``https://*.example.com``, and of regular expressions, which match a whole origin
            in lower case and without its default port. A list replaces the same origin; name it in the list to have
            both.
        required: whether a client must send an Origin; one that does not is no browser, and passes by default.

    Raises:
        ConfigurationError: an entry that is no origin.
    """

    def __init__(self, allowed: AllowedOrigins = SAME_ORIGIN, *, required: bool = False) -> None:
        self._required = required
        self._any = allowed is ANY_ORIGIN
        self._same = allowed is SAME_ORIGIN
        self._listed: frozenset[Origin] = frozenset()
        self._below: frozenset[Origin] = frozenset()
        self._patterns: tuple[re.Pattern[str], ...] = ()
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
        listed: list[Origin] = []
        below: list[Origin] = []
        patterns: list[re.Pattern[str]] = []
        for entry in cast("Iterable[object]", allowed):
            if entry == "*":
                raise ConfigurationError("allowed_origins: instead of '*' say allowed_origins=ANY_ORIGIN.")
            if entry is SAME_ORIGIN:
                self._same = True
            elif isinstance(entry, re.Pattern):
                patterns.append(entry)
            else:
                text = entry if isinstance(entry, str) else ""
                parsed = parse_origin(text.replace("://*.", "://", 1))
                if parsed is None:
                    raise ConfigurationError(
                        f"allowed_origins: {entry!r} is no origin; write scheme, host and port only, as in "
                        "https://example.com, or https://*.example.com for all its subdomains."
                    )
                (below if "://*." in text else listed).append(parsed)
        self._listed, self._below, self._patterns = frozenset(listed), frozenset(below), tuple(patterns)

    def allows(self, info: ConnectionInfo) -> bool:
        """Say whether this connection may be opened."""
        origins = info.headers.get_all("origin")
        if not origins:
            return not self._required
        if self._any:
            return True
        # A second Origin field is nothing that a browser sends.
        origin = parse_origin(origins[0]) if len(origins) == 1 else None
        return origin is not None and (self._is_listed(origin) or (self._same and origin == own_origin(info)))

    def _is_listed(self, origin: Origin) -> bool:
        if origin in self._listed:
            return True
        scheme, host, port = origin
        if any(scheme == s and port == p and host.endswith(f".{below}") for s, below, p in self._below):
            return True
        return any(pattern.fullmatch(_origin_text(*origin)) for pattern in self._patterns)

    def describe(self, info: ConnectionInfo) -> str:
        """Say which origins would have passed, for the log."""
        allowed = [_origin_text(*origin) for origin in sorted(self._listed)]
        allowed += [_origin_text(scheme, f"*.{host}", port) for scheme, host, port in sorted(self._below)]
        allowed += [f"/{pattern.pattern}/" for pattern in self._patterns]
        own = own_origin(info) if self._same else None
        if own is not None:
            allowed.append(_origin_text(*own))
        return ", ".join(allowed) or "none"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# As browsers write it (RFC 6454 section 6.2). Parsers of URLs forgive too much: they take out tabs, for example.
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)


def parse_origin(text: str) -> Origin | None:
    """Return scheme, host and port of an origin (RFC 6454 section 6.2), or None for ``null`` and what is no origin."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, host = match[1].lower(), match[2].lower().strip("[]")
    port = int(match[3]) if match[3] is not None else _DEFAULT_PORTS[scheme]
    return (scheme, host, port) if port <= 65_535 else None


def own_origin(info: ConnectionInfo) -> Origin | None:
    """Return the origin that the handshake itself went to: its scheme and its Host header."""
    hosts = info.headers.get_all("host")
    if len(hosts) != 1:
        return None
    scheme = "https" if info.scheme in {"wss", "https"} else "http"
    return parse_origin(f"{scheme}://{_in_ascii(hosts[0])}")


def _in_ascii(host: str) -> str:
    """Return a host as clients send it: wsproto, below uvicorn, hands over the Unicode of what came in Punycode."""
    if host.isascii():
        return host
    try:
        return host.encode("latin-1").decode().encode("idna").decode()
    except UnicodeError:
        return host


def _origin_text(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")
