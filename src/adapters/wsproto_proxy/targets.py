"""Where the service is: a URL, checked, and what of the client's own URL is put behind it.

The host is always the application's. Of what a client sends, only a path without ``..`` and a query can get in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from wsproto_core.errors import ConfigurationError
from wsproto_core.problems import Problem, shorten

__all__ = ["Target", "parse_target", "safe_path", "safe_query"]

_UNIX: Final = "ws+unix"
_IN_SEGMENT: Final = "-._~!$&'()*+,;=:@"  # RFC 3986 section 3.3
_IN_QUERY: Final = _IN_SEGMENT + "/?%"  # section 3.4; what is escaped stays as it is
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Target:
    """A service.

    Attributes:
        url: with ``ws`` or ``wss``; on a Unix socket the host in it is ``localhost``.
        unix: the path of the Unix socket that it listens on.
    """

    url: str
    unix: str | None = None

    @property
    def name(self) -> str:
        """Where it is, for the log: never the path or the query."""
        return self.unix or urlsplit(self.url).netloc

    def with_more(self, path: str, query: str) -> Target:
        """Return it with a path behind its own, and a query beside its own; see `safe_path` and `safe_query`."""
        parts = urlsplit(self.url)
        if path:
            parts = parts._replace(path=parts.path.rstrip("/") + path)
        if query:
            parts = parts._replace(query="&".join(filter(None, [parts.query, query])))
        return Target(parts.geturl(), self.unix)


def parse_target(url: object) -> Target:
    """Return the service of a URL: ``ws://…``, ``wss://…``, or ``ws+unix:///path/of/the.socket:/path``.

    Raises:
        ConfigurationError: no such URL.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"The target of a proxy is a URL, or a function that returns one, not {url!r}.")
    shown = shorten(url.partition("?")[0], 100)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"The target {shown!r} is no URL: {error}.") from None
    if "@" in parts.netloc:
        # Not shown: there may be a password in it.
        raise ConfigurationError("The target must not have a user in its URL; send credentials with headers={…}.")
    if parts.scheme not in {"ws", "wss", _UNIX}:
        raise ConfigurationError(f"The target must begin with ws:// or wss://, or ws+unix://: {shown!r}.")
    if "#" in url:
        raise ConfigurationError(f"The target must not have a fragment: {shown!r}.")
    if _CONTROL.search(url) or not url.isascii() or "\\" in url:
        raise ConfigurationError(f"The target must be ASCII, without white space and backslashes: {shown!r}.")
    if parts.scheme == _UNIX:
        return _unix_target(parts, shown)
    if not parts.hostname or port == 0:
        raise ConfigurationError(f"The target lacks a host, or has a port that is none: {shown!r}.")
    return Target(url)


def _unix_target(parts: SplitResult, shown: str) -> Target:
    socket, _, path = parts.path.partition(":")
    if parts.netloc or not socket.startswith("/") or (path and not path.startswith("/")):
        raise ConfigurationError(f"Write ws+unix:///path/of/the.socket, or ws+unix:///the.socket:/path, not {shown!r}.")
    return Target(SplitResult("ws", "localhost", path or "/", parts.query, "").geturl(), socket)


def safe_path(path: str) -> str:
    """Return a path, which was percent-decoded, as it goes into a URL.

    Raises:
        Problem: it climbs, or has characters in it that servers do not agree about.
    """
    if not path:
        return ""
    segments = path.removeprefix("/").split("/")
    # Some servers cut parameters off a segment, and look at the rest.
    climbs = any(segment.partition(";")[0] in {".", ".."} for segment in segments)
    if climbs or "\\" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise Problem("This path is not passed on.", status=400, code="invalid_path")
    return "".join(f"/{quote(segment, safe=_IN_SEGMENT, errors='replace')}" for segment in segments)


def safe_query(query: str) -> str:
    """Return a query as it goes into a URL: what a URL cannot have is escaped."""
    return quote(query, safe=_IN_QUERY, encoding="latin-1", errors="replace")
