"""Where the servers are, and how to log in: URLs, read once."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from wsproto_core.errors import ConfigurationError

__all__ = ["Address", "Login", "addresses_of", "read_url", "tls_context"]

_PORT: Final = 4222
_SCHEMES: Final = ("nats", "tls")
_QUERY: Final = ("prefix", "tls_ca", "tls_cert", "tls_key", "credentials")


@dataclass(frozen=True, slots=True)
class Address:
    """One server, and who we are there.

    Attributes:
        host: its name or address.
        port: its port.
        encrypted: whether to refuse to go on without TLS.
        user: the name, or the token where there is no password.
        password: of the user.
    """

    host: str
    port: int
    encrypted: bool = False
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The URL without what is secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"nats://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """What is the same for all servers.

    Attributes:
        tls: with which they are trusted; None is what the system trusts, where a server asks for TLS.
        credentials: the file with the JWT and the key of the user, as ``nsc`` writes it.
    """

    tls: ssl.SSLContext | None = None
    credentials: str | None = None

    def __post_init__(self) -> None:
        if self.credentials is None:
            return
        if not Path(self.credentials).is_file():
            raise ConfigurationError(f"credentials: there is no file {str(self.credentials)!r}.")
        if importlib.util.find_spec("nkeys") is None:
            raise ConfigurationError("credentials need the package nkeys: pip install 'nats-py[nkeys]'.")


def addresses_of(servers: str | Iterable[str | Address]) -> list[Address]:
    """Return the servers that some URLs name.

    Args:
        servers: ``nats://host:port``, with ``user:password@`` or ``token@``; several with commas, or as a list.
            ``tls://`` insists on TLS.

    Raises:
        ConfigurationError: no such URL.
    """
    if isinstance(servers, str):
        servers = servers.split(",")
    elif not isinstance(servers, Iterable) or isinstance(servers, (bytes, Mapping)):
        raise ConfigurationError("servers: a URL such as nats://127.0.0.1:4222, or a list of them.")
    scheme = "nats"
    found: list[Address] = []
    for each in servers:
        if isinstance(each, Address):
            found.append(each)
            continue
        text = each.strip() if isinstance(each, str) else ""
        if "://" not in text:
            text = f"{scheme}://{text}"
        scheme = text.partition("://")[0].lower()
        found.append(_address(text))
    if not found:
        raise ConfigurationError("servers: the list is empty; name at least one, such as nats://127.0.0.1:4222.")
    return found


def _address(url: str) -> Address:
    # The URL may hold a password, so no error shows it.
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("servers: a URL has a host or a port that is none.") from None
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError(f"servers: the scheme {parts.scheme!r} is unknown; there are nats:// and tls://.")
    if not host or any(character.isspace() for character in host):
        raise ConfigurationError("servers: a URL has no host; they look like nats://127.0.0.1:4222.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigurationError("servers: nothing follows the port in a URL of NATS; percent-encode it in a password.")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Address(host, _PORT if port is None else port, parts.scheme == "tls", user or None, password)


def read_url(url: str) -> tuple[list[Address], dict[str, Any]]:
    """Return the servers and the options of ``nats://host:port,host:port?prefix=shop``.

    Raises:
        ConfigurationError: a URL or an option that is none.
    """
    servers, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(_QUERY)):
        raise ConfigurationError(f"backplane: the option {unknown[0]!r} is unknown; there are {', '.join(_QUERY)}.")
    files = {name: options.pop(name) for name in ("tls_ca", "tls_cert", "tls_key") if name in options}
    found: dict[str, Any] = dict(options)
    if files:
        found["tls"] = tls_context(files.get("tls_ca"), files.get("tls_cert"), files.get("tls_key"))
    return addresses_of(servers), found


def tls_context(ca: str | None, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """Return with which servers are trusted.

    Args:
        ca: a file with the certificates that sign theirs; None is what the system trusts.
        certificate: a file with our own certificate, where servers ask for one.
        key: a file with its key.

    Raises:
        ConfigurationError: a file that cannot be read as one.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"tls: a certificate or key cannot be read: {error}") from error
    return context
