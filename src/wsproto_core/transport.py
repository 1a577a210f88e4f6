"""The seam between the core and a host: a write-only transport, and what a connection told about itself.

The host reads and pushes each frame into the session; the core writes through two methods and never reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, cast

__all__ = ["ConnectionInfo", "Headers", "SupportsPings", "SupportsTrySend", "Surroundings", "TokenSource", "Transport"]

TokenSource = Literal["bearer", "basic", "subprotocol", "ticket", "query", "message"]


class Headers(Mapping[str, str]):
    """Request headers: case-insensitive, and a field that came twice keeps all its values (RFC 9110 section 5.2)."""

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        values: dict[str, tuple[str, ...]] = {}
        pairs = cast("Mapping[str, str]", fields).items() if isinstance(fields, Mapping) else fields
        for name, value in pairs:
            key = name.lower()
            values[key] = (*values.get(key, ()), value)
        self._values = values

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field, in the order they came."""
        return self._values.get(name.lower(), ())

    def __repr__(self) -> str:
        # Values may be credentials, and this ends up in logs.
        return f"<Headers {', '.join(self._values)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo:
    """What a connection told about itself at the handshake. Frozen: nothing of it changes later.

    Attributes:
        path: of the request, without the query.
        query: of the request, raw, without the question mark; never shown by ``repr``: it may hold a ticket.
        headers: of the request.
        peer: address and port of the other side, as the host knows them.
        subprotocols: what the client offered, without the token (protocol section 5).
        token: the credential that came along, if any; never shown by ``repr``.
        source: where it came from.
        scheme: ``ws`` or ``wss``, as the host knows it.
        extras: what else the host knows, for example the ASGI scope.
    """

    path: str = "/"
    query: str = field(default="", repr=False)
    headers: Headers = field(default_factory=Headers)
    peer: tuple[str, int] | None = None
    subprotocols: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    source: TokenSource | None = None
    scheme: str = "ws"
    extras: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What handlers find around them on a host, beside their parameters.

    Attributes:
        around: makes a context manager that is entered around each plain function, in its thread: a framework's
            application context, the clean-up of database connections.
        context: the context variables that handlers see; each gets a copy. None gives them those of the reader.
        executor: runs the plain functions, where a framework has threads of its own for that; None is the hub's.
    """

    around: Callable[[], AbstractContextManager[object]] = nullcontext
    context: Context | None = None
    executor: Executor | None = None


class Transport(Protocol):
    """What a host gives the core to write through.

    ``send`` is never called twice at once. Neither method is called after `Session.closed`.
    """

    @property
    def info(self) -> ConnectionInfo:
        """What the connection told about itself."""
        ...

    def send(self, frame: str | bytes) -> Awaitable[None]:
        """Write one text frame (str) or binary frame (bytes); awaited, it waits while the client does not read."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Begin or complete the closing handshake."""
        ...


class SupportsPings(Protocol):
    """A transport of a host that looks after the connection with pings of the WebSocket protocol.

    Attributes:
        pings: whether it does so for this connection; where not, a client that opted in is told to speak
            (see ``Limits.heartbeat_interval``).
    """

    pings: bool


class SupportsTrySend(Protocol):
    """A transport that can write without waiting."""

    def try_send(self, frame: str | bytes) -> bool:
        """Write one frame if that takes no waiting, and say whether it was done."""
        ...
