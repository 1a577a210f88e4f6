"""What a host tells the document about itself: where its sockets are, and how one gets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

__all__ = ["HostFacts", "Socket", "parameters_in"]

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
_PARAMETER: Final = re.compile(r"{([A-Za-z0-9_\-]+)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A place where WebSocket connections are taken.

    Attributes:
        address: its path, with parameters in braces; None is not known.
        foreign: whether it is the application's own affair, and none of the protocol.
        title, description: for the documentation.
        query: the query parameters of its handshake: JSON Schemas by name.
        headers: the headers of its handshake, likewise.
        required: which of those have to be there.
        security: what lets in here beside what the settings say: AsyncAPI security schemes by name.
    """

    address: str | None = None
    foreign: bool = False
    title: str | None = None
    description: str | None = None
    query: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    headers: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    required: frozenset[str] = frozenset()
    security: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host knows that the settings do not say; asked for each time that a document is made.

    Attributes:
        sockets: gives its sockets in the order of its routes.
        info: gives what it calls itself: ``title``, ``version``, ``description`` and so on, where the settings do not.
    """

    sockets: Callable[[], Iterable[Socket]] = tuple
    info: Callable[[], Mapping[str, Any]] = dict


def parameters_in(address: str) -> list[str]:
    """Return the names of the parameters of an address."""
    return _PARAMETER.findall(address)
