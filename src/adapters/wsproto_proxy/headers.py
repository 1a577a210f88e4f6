"""Which headers go on to the service: those that were named, and what the proxy itself says about the client.

A list of what may pass, and none of what may not: the next header that carries a secret is not known yet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

from wsproto_core.errors import ConfigurationError
from wsproto_core.transport import ConnectionInfo

__all__ = ["check_fixed", "check_forwarded", "forwarded_for", "request_headers"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 section 5.5, as HTTP/1.1 carries it
# Each belongs to one connection, and the proxy has another one (RFC 9110 section 7.6.1, RFC 6455 section 11.3).
_HOP_BY_HOP: Final = frozenset(
    {
        "connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_OURS: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})

Fields = list[tuple[str, str]]


def check_forwarded(names: object) -> tuple[str, ...]:
    """Return the names of headers that may pass, in lower case.

    Raises:
        ConfigurationError: no list of names, or the name of a header that cannot pass.
    """
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise ConfigurationError(f"forward_headers takes a list of names of headers, as in ['cookie'], not {names!r}.")
    found: list[str] = []
    for name in cast("Iterable[object]", names):
        _check_name(name, "forward_headers")
        found.append(cast("str", name).lower())
    return tuple(dict.fromkeys(found))


def check_fixed(headers: object, what: str = "headers") -> dict[str, str]:
    """Return headers that the application sets itself, by their names in lower case.

    Raises:
        ConfigurationError: no headers, a name that is the proxy's own, or a value that HTTP cannot carry.
    """
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"{what} must be a dict of names and values, not {type(headers).__name__}.")
    found: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", headers).items():
        _check_name(name, what)
        # The value may be a credential, so it is not shown.
        if not isinstance(value, str) or not _VALUE.fullmatch(value) or value != value.strip():
            raise ConfigurationError(f"{what}: the value of {name!r} is none that a header can have (RFC 9110 5.5).")
        found[cast("str", name).lower()] = value
    return found


def request_headers(
    info: ConnectionInfo, *, forward: Iterable[str], own: Mapping[str, str], trust_forwarded: bool
) -> Fields:
    """Return what the service is sent, beside the handshake itself.

    Args:
        info: what the client told.
        forward: names of its headers that may pass, in lower case.
        own: what the application sets, by names in lower case; it takes the place of what the client sent.
        trust_forwarded: whether what came in about who is behind the request is continued.
    """
    passed = [(name, value) for name in forward if name not in own for value in info.headers.get_all(name)]
    return [*passed, *own.items(), *forwarded_for(info, trust=trust_forwarded)]


def forwarded_for(info: ConnectionInfo, *, trust: bool) -> Fields:
    """Return who the client is, as ``X-Forwarded-*`` and as ``Forwarded`` (RFC 7239).

    Args:
        info: what the client told.
        trust: whether what came in is continued; else it is replaced.
    """
    peer = info.peer[0] if info.peer is not None else None
    scheme = "https" if info.scheme in {"https", "wss"} else "http"
    hosts = info.headers.get_all("host")
    host = hosts[0] if len(hosts) == 1 else ""

    def before(name: str) -> str:
        return info.headers.get(name, "").strip() if trust else ""

    addresses = before("x-forwarded-for")
    fields = [
        ("X-Forwarded-For", ", ".join(filter(None, [addresses, peer]))),
        # Of these two the first proxy knows best: it is the one that the client talked to.
        ("X-Forwarded-Proto", before("x-forwarded-proto") or scheme),
        ("X-Forwarded-Host", before("x-forwarded-host") or host),
    ]
    # Where a proxy before us knows only the older headers, the newer one begins with what they say (section 7.4).
    elements = [before("forwarded") or ", ".join(f"for={_node(each.strip())}" for each in addresses.split(",") if each)]
    element = f"for={_node(peer)};proto={scheme}"
    elements.append(f"{element};host={_quoted(host)}" if host else element)
    fields.append(("Forwarded", ", ".join(filter(None, elements))))
    return [(name, value) for name, value in fields if value]


def _node(address: str | None) -> str:
    """Return an address as RFC 7239 section 6 writes it."""
    try:
        parsed = ipaddress.ip_address((address or "").strip("[]"))
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else f'"[{parsed}]"'


def _quoted(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ConfigurationError(f"{what}: {name!r} is no name of a header.")
    lower = name.lower()
    if lower in _HOP_BY_HOP or lower.startswith("sec-websocket-"):
        hint = " The service is told the client's in X-Forwarded-Host." if lower == "host" else ""
        raise ConfigurationError(f"{what}: {name!r} belongs to one connection and never goes on to the next.{hint}")
    if lower in _OURS:
        raise ConfigurationError(f"{what}: the proxy sets {name!r} itself; see trust_forwarded.")
