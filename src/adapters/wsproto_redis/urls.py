"""Where Redis is, as URLs say it, and the options that they may carry.

::

    redis://user:password@host:6379/0           rediss://…                       (TLS)
    redis+unix:///run/redis.sock?db=0
    redis+sentinel://host:26379,host/service/0  rediss+sentinel://…
    redis+cluster://host:6379,host              rediss+cluster://…
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from wsproto_core.errors import ConfigurationError

__all__ = ["Location", "Options", "read_url"]

_KINDS: Final[dict[str, Literal["single", "unix", "sentinel", "cluster"]]] = {
    "redis": "single",
    "rediss": "single",
    "redis+unix": "unix",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_DEFAULT_PORTS: Final = {"single": 6379, "sentinel": 26379, "cluster": 6379, "unix": 0}
_TLS_OPTIONS: Final = {
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_keyfile",
    "ssl_password",
}

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Location:
    """Where Redis is.

    Attributes:
        kind: what is at the addresses: one server, the Sentinels of one, or some nodes of a cluster.
        addresses: host and port of each; none for a Unix socket.
        path: of the Unix socket.
        service: what the Sentinels call the server.
        login: ``username``, ``password`` and ``db``, as redis-py names them.
        sentinel_login: the same, for the Sentinels.
        tls: redis-py's ``ssl_…`` options, or None for no TLS.
    """

    kind: Literal["single", "unix", "sentinel", "cluster"]
    addresses: tuple[Address, ...] = ()
    path: str = ""
    service: str = ""
    login: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sentinel_login: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tls: Mapping[str, Any] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Where it is, for the log: without any password."""
        where = self.path or ", ".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{self.kind} Redis at {where}" if self.kind != "single" else f"Redis at {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be said in a URL or as an argument.

    Attributes:
        prefix: begins the names of all channels and keys, so that applications can share a Redis.
        signing_key: for `Signer`; None lets everything pass.
        timeout: seconds that Redis may take to answer.
        connect_timeout: seconds that an attempt to connect may take.
        keepalive: seconds of silence after which Redis is asked whether it is there.
        max_message_bytes: larger messages are refused, and passed over when somebody else published them.
        queue_messages: how many published messages may wait for Redis.
        queue_bytes: how many bytes of them.
    """

    prefix: str = "wsproto:"
    signing_key: str | bytes | tuple[str | bytes, ...] | None = field(default=None, repr=False)
    timeout: float = 3.0
    connect_timeout: float = 1.5
    keepalive: float = 30.0
    max_message_bytes: int = 16 * 1024 * 1024
    queue_messages: int = 10_000
    queue_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        prefix = self.prefix
        if not isinstance(prefix, str) or not prefix.isprintable() or any(each in prefix for each in " *?[]\\"):
            raise ConfigurationError("prefix: a text without spaces, control characters and * ? [ ] \\.")
        for name in ("timeout", "connect_timeout", "keepalive"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.01 <= seconds <= 86_400:
                raise ConfigurationError(f"{name}: a number of seconds from 0.01 to 86400, not {seconds!r}.")
        for name in ("max_message_bytes", "queue_messages", "queue_bytes"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ConfigurationError(f"{name}: a whole number from 1, not {number!r}.")


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "prefix": str,
    "timeout": float,
    "connect_timeout": float,
    "keepalive": float,
    "max_message_bytes": int,
    "queue_messages": int,
    "queue_bytes": int,
}


def read_url(url: str, **given: Any) -> tuple[Location, Options]:
    """Return what a URL says, and the options of both; what was given as an argument wins.

    Raises:
        ConfigurationError: something is wrong with it. The message is one sentence, and holds no password.
    """
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="strict")
    except (AttributeError, TypeError, ValueError):
        raise ConfigurationError("The URL of Redis cannot be read; one looks like redis://host:6379/0.") from None
    scheme = parts.scheme
    kind = _KINDS.get(scheme)
    if kind is None:
        raise ConfigurationError(
            f"Redis: the scheme {scheme!r} is unknown; there are {', '.join(f'{each}://' for each in _KINDS)}."
        )
    options, login, sentinel_login, tls = _query(kind, scheme, query)
    path, service, database = _rest(kind, parts)
    if database is not None:
        login.setdefault("db", database)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    if username:
        login["username"] = unquote(username)
    if password:
        login["password"] = unquote(password)
    location = Location(
        kind=kind,
        addresses=() if kind == "unix" else _addresses(hosts, _DEFAULT_PORTS[kind]),
        path=path,
        service=service,
        login=login,
        sentinel_login=sentinel_login,
        tls=tls,
    )
    chosen = {**options, **{name: value for name, value in given.items() if value is not None}}
    return location, Options(**chosen)


def _query(
    kind: str, scheme: str, query: list[tuple[str, str]]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any] | None]:
    """Return the options, the login, that for Sentinels, and redis-py's options for TLS."""
    options: dict[str, Any] = {}
    login: dict[str, Any] = {}
    sentinel_login: dict[str, Any] = {}
    tls: dict[str, Any] | None = {} if scheme.startswith("rediss") else None
    for name, value in query:
        if name in _READERS:
            options[name] = _number(name, value)
        elif name == "signing_key":
            options[name] = (*options.get(name, ()), value)
        elif name == "db" and kind != "cluster":
            login["db"] = _database(value)
        elif name in {"sentinel_username", "sentinel_password"} and kind == "sentinel":
            sentinel_login[name.removeprefix("sentinel_")] = value
        elif name in _TLS_OPTIONS and tls is not None:
            tls[name] = value.lower() not in {"0", "f", "false", "n", "no"} if name == "ssl_check_hostname" else value
        else:
            known = [*_READERS, "signing_key", "db", *(sorted(_TLS_OPTIONS) if tls is not None else [])]
            raise ConfigurationError(f"Redis: the URL has an unknown option {name!r}; there are {', '.join(known)}.")
    if tls is not None and tls.get("ssl_cert_reqs") == "none":
        tls.setdefault("ssl_check_hostname", False)
    return options, login, sentinel_login, tls


def _rest(kind: str, parts: SplitResult) -> tuple[str, str, int | None]:
    """Return the socket's path, the service and the database that the path of a URL names."""
    if kind == "unix":
        if parts.netloc.rpartition("@")[2] or len(parts.path) < 2:
            raise ConfigurationError(
                "Redis: the path of a Unix socket is absolute, as in redis+unix:///run/redis.sock."
            )
        return unquote(parts.path), "", None
    levels = [unquote(level) for level in parts.path.strip("/").split("/")] if parts.path.strip("/") else []
    service = ""
    if kind == "sentinel":
        if not levels:
            raise ConfigurationError("Redis: say which service, as in redis+sentinel://host:26379/service.")
        service = levels.pop(0)
    if kind == "cluster" and levels:
        raise ConfigurationError("Redis: a cluster has no databases, so its URL ends after the hosts.")
    if len(levels) > 1:
        raise ConfigurationError("Redis: after the host there is only the number of a database, as in redis://host/0.")
    return "", service, _database(levels[0]) if levels else None


def _addresses(hosts: str, default: int) -> tuple[Address, ...]:
    found: list[Address] = []
    for each in hosts.split(","):
        host, bracket, port = each.rpartition("]")
        if not bracket:
            host, _, port = each.partition(":")
        else:
            host, port = host.removeprefix("["), port.removeprefix(":")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ConfigurationError("Redis: a port is a number from 1 to 65535, as in redis://host:6379.")
        found.append((host or "localhost", int(port or default)))
    return tuple(found)


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigurationError("Redis: a database is a number, as in redis://host:6379/0.")
    return int(text)


def _number(name: str, text: str) -> Any:
    try:
        return _READERS[name](text)
    except ValueError:
        raise ConfigurationError(f"Redis: the option {name!r} in the URL is a number, not {text!r:.40}.") from None
