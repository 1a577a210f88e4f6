"""What an application says about its contract, for its documentation; checked when it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from wsproto_core.errors import ConfigurationError

__all__ = ["check_contact", "check_license", "check_servers", "check_sockets", "check_text", "check_url_path"]

Server = Mapping[str, Any]

_NAMED: Final = {"contact": ("name", "url", "email"), "license": ("name", "url")}
_DEFAULT_NAMES: Final = ("server",)


def check_text(value: object, name: str) -> str | None:
    """Return a text; an empty one is none.

    Raises:
        ConfigurationError: no text.
    """
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string or None, not {type(value).__name__}.")
    return value or None


def check_url_path(value: object, name: str) -> str | None:
    """Return the path that something is served at; None is nowhere.

    Raises:
        ConfigurationError: no path that begins with a slash, or one with a query, parameters or white space.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not value.startswith("/") or value.startswith("//"):
        raise ConfigurationError(f"{name} is a path that begins with a slash, or None for nowhere, not {value!r}.")
    if not value.isascii() or any(each in '?#{}<>%"\\' or each.isspace() for each in value):
        raise ConfigurationError(f"{name} is a plain path, without parameters, a query or white space, not {value!r}.")
    path = value.rstrip("/")
    if not path:
        raise ConfigurationError(f"{name} must have a name after the slash, for the root is the application's own.")
    return path


def check_contact(value: object) -> dict[str, str] | None:
    """Return the contact: ``name``, ``url``, ``email``.

    Raises:
        ConfigurationError: something else.
    """
    return _members(value, "contact")


def check_license(value: object) -> dict[str, str] | None:
    """Return the licence: ``name``, ``url``; a text is the name.

    Raises:
        ConfigurationError: something else, or a licence without a name.
    """
    found = _members({"name": value} if isinstance(value, str) and value else value, "license")
    if found is not None and not found.get("name"):
        raise ConfigurationError("license must have a name: license={'name': 'MIT'}.")
    return found


def check_servers(value: object) -> dict[str, dict[str, Any]]:
    """Return servers by name, as AsyncAPI has them: ``host``, ``protocol``, ``pathname`` and so on.

    Args:
        value: URLs (``wss://example.com/api``), or URLs or AsyncAPI servers by name; one may have a ``url`` instead.

    Raises:
        ConfigurationError: none of these.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        named = {str(name): each for name, each in value.items()}
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        listed = list(value)
        named = {"server" if number == 1 else f"server{number}": each for number, each in enumerate(listed, 1)}
    else:
        raise ConfigurationError(f"servers takes URLs, or a dict of them by name, not {value!r}.")
    for name in named:
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ConfigurationError(f"servers: a name is made of letters, digits, '-', '_' and '.', not {name!r}.")
    return {name: _server(name, each) for name, each in named.items()}


def check_sockets(value: object) -> tuple[str, ...] | None:
    """Return the paths of sockets; None lets them be found.

    Raises:
        ConfigurationError: no list of paths.
    """
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigurationError(f"sockets takes a list of paths: [{value!r}].")
    paths = tuple(value)
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ConfigurationError(f"sockets: a path begins with a slash, unlike {path!r}.")
    return paths


def _members(value: object, name: str) -> dict[str, str] | None:
    if value is None:
        return None
    known = _NAMED[name]
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise ConfigurationError(f"{name} must be a dict of texts with {', '.join(known)}, not {value!r}.")
    unknown = [each for each in value if each not in known and not str(each).startswith("x-")]
    if unknown:
        raise ConfigurationError(f"{name}: there is no {unknown[0]!r}; there are {', '.join(known)}.")
    return {str(each): value[each] for each in value} or None


def _server(name: str, given: object) -> dict[str, Any]:
    if isinstance(given, str):
        given = {"url": given}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"servers: {name} must be a URL or a dict, not {type(given).__name__}.")
    server = {str(key): value for key, value in given.items()}
    url = server.pop("url", None)
    if url is not None:
        parts = urlsplit(str(url))
        if parts.scheme not in {"ws", "wss", "http", "https"} or not parts.netloc:
            raise ConfigurationError(f"servers: {name} must be a URL as wss://example.com, not {url!r}.")
        protocol = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        server = {"host": parts.netloc, "protocol": protocol, **server}
        if parts.path.strip("/"):
            server.setdefault("pathname", parts.path.rstrip("/"))
    if not all(isinstance(server.get(member), str) and server[member] for member in ("host", "protocol")):
        raise ConfigurationError(f"servers: {name} needs a url, or a host and a protocol.")
    return server
