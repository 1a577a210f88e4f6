"""One-time tickets: issued over HTTP to who is logged in there, and good for one handshake within seconds.

For browsers that can send neither a header nor a subprotocol along, behind proxies that strip them, say. A ticket
travels in the query string (``?ticket=…``), where a token must not: access logs keep it, but it is worth nothing then.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import threading
from collections import OrderedDict
from time import monotonic
from typing import Final, Protocol

from wsproto_core.blocking import loop_thread
from wsproto_core.errors import ConfigurationError
from wsproto_core.security import Identity, UserId, as_identity, identity_document, identity_from

__all__ = ["MemoryTicketStore", "TicketStore", "Tickets"]

_BYTES: Final = 32  # random ones in a ticket


class TicketStore(Protocol):
    """Keeps tickets until they are taken; shared by all processes that issue or take them."""

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so many seconds."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Return a value and forget it, in one step, so that nobody takes it twice."""
        ...


class MemoryTicketStore:
    """Keeps tickets in this process.

    Args:
        limit: how many; the oldest give way.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so many seconds."""
        now = monotonic()
        with self._lock:
            self._kept[key] = (value, now + seconds)
            # They all live equally long, so those that ended are in front.
            while self._kept and (len(self._kept) > self._limit or next(iter(self._kept.values()))[1] <= now):
                self._kept.popitem(last=False)

    async def take(self, key: str) -> bytes | None:
        """Return a value and forget it."""
        with self._lock:
            value, end = self._kept.pop(key, (None, 0.0))
        return value if end > monotonic() else None


class Tickets:
    """Issues tickets, and takes them back. Given to ``configure_websocket(tickets=…)``, which does the latter.

    ::

        tickets = Tickets()
        hub = configure_websocket(app, tickets=tickets)

        @app.post("/ticket")
        async def ticket(user: User = Depends(current_user)) -> str:
            return await tickets.issue(user.id)      # new WebSocket(`/ws/?ticket=${ticket}`)

    Args:
        lifetime: seconds.
        store: where they are kept; in memory by default, which is for one process.

    Raises:
        ConfigurationError: a lifetime that is none.
    """

    def __init__(self, *, lifetime: float = 30, store: TicketStore | None = None) -> None:
        if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or not 0 < lifetime < math.inf:
            raise ConfigurationError(f"Tickets(lifetime=…) is a number of seconds above 0, not {lifetime!r}.")
        self._lifetime = lifetime
        self._store = store if store is not None else MemoryTicketStore()

    async def issue(self, identity: Identity | UserId | None) -> str:
        """Return a new ticket.

        Args:
            identity: who it is for: a user id, or an `Identity` whose state JSON can carry.

        Raises:
            TypeError: no identity, or a state that JSON cannot carry.
        """
        found = as_identity(identity)
        if found is None:
            raise TypeError("A ticket is for somebody: a user id, None for anonymous, or an Identity.")
        ticket = secrets.token_urlsafe(_BYTES)
        await self._store.put(_key(ticket), _written(found), self._lifetime)
        return ticket

    def issue_sync(self, identity: Identity | UserId | None) -> str:
        """Return a new ticket, in a plain function of Flask or Django; see `issue`."""
        return loop_thread.run(self.issue(identity))

    async def redeem(self, ticket: str) -> Identity | None:
        """Return whom a ticket was issued to, once; None when it is none, or not any more."""
        value = await self._store.take(_key(ticket))
        if value is None:
            return None
        try:
            return identity_from(json.loads(value))
        except (ValueError, TypeError, KeyError):
            # What an engine says is distrusted like what a client says.
            return None


def _key(ticket: str) -> str:
    # Whoever can read the store must not be able to use what is in it.
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()


def _written(identity: Identity) -> bytes:
    return json.dumps(identity_document(identity), allow_nan=False).encode()
