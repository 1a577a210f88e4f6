"""What is refused, on the logger ``wsproto_core.security``: who, where and why, and never a credential.

An attacker decides how often that happens, so of each reason only so many lines are written; the next one says how many
were left out.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from wsproto_core.rates import TokenBucket

if TYPE_CHECKING:
    from wsproto_core.session import Session
    from wsproto_core.transport import ConnectionInfo

__all__ = ["SecurityLog"]

log = logging.getLogger("wsproto_core.security")

_PER_SECOND: Final = 1.0
_AT_ONCE: Final = 20


class SecurityLog:
    """The security log of one hub. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, TokenBucket] = {}
        self._left_out: dict[str, int] = {}

    def handshake(self, reason: str, info: ConnectionInfo, message: str, *arguments: object) -> None:
        """Note that a connection was refused.

        Args:
            reason: one word of few, for programs.
            info: what the connection told about itself.
            message: for people, with ``%s`` for the arguments.
            arguments: nothing of them may be a credential.
        """
        self._write(
            reason,
            f"{message} (on %r, from %s)",
            (*arguments, info.path, _peer(info)),
            {"origin": info.headers.get("origin"), "peer": info.peer, "path": info.path},
        )

    def message(self, reason: str, session: Session, message: str, *arguments: object) -> None:
        """Note that something was refused to an open connection; see `handshake`."""
        info = session.info
        self._write(
            reason,
            f"{message} (connection %s, user %r, from %s)",
            (*arguments, session.id, session.user_id, _peer(info)),
            {
                "connection_id": session.id,
                "user_id": session.user_id,
                "origin": info.headers.get("origin"),
                "peer": info.peer,
                "path": info.path,
            },
        )

    def _write(self, reason: str, message: str, arguments: tuple[object, ...], extra: dict[str, Any]) -> None:
        with self._lock:
            now = monotonic()
            bucket = self._buckets.get(reason)
            if bucket is None:
                bucket = self._buckets[reason] = TokenBucket((_PER_SECOND, _AT_ONCE), now)
            if bucket.take(now):
                self._left_out[reason] = self._left_out.get(reason, 0) + 1
                return
            left_out = self._left_out.pop(reason, 0)
        if left_out:
            message = f"{message}; {left_out} more like it were not logged"
        log.warning(message, *arguments, extra={"reason": reason, "left_out": left_out, **extra})


def _peer(info: ConnectionInfo) -> str:
    return f"{info.peer[0]}:{info.peer[1]}" if info.peer is not None else "unknown"
