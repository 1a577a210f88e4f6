"""The end of many connections at once: each is told, may finish what runs, and is closed, and nobody waits in a row."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from wsproto_core.index import Index
from wsproto_core.session import Session
from wsproto_core.tasks import on_loop

__all__ = ["drain_sessions"]

# What a drain may take beyond its two waits, for the running actions and for the closing handshakes.
_MARGIN: Final = 5.0
# Clients that come back at once would hurt whoever takes over; they are told to spread, so many a second.
_RETURNS_PER_SECOND: Final = 500


async def drain_sessions(
    sessions: Iterable[Session], index: Index, code: int, reason: str, *, timeout: float | None
) -> None:
    """Let what runs come to its end, and close the connections, all at the same time.

    Args:
        sessions: the connections.
        index: that they are in.
        code: for the close frame.
        reason: for the close frame.
        timeout: seconds for the running actions, after which their clients are told ``unavailable``, and as many again
            for the closing handshake.
    """
    sessions = list(sessions)
    spread = max(1.0, len(sessions) / _RETURNS_PER_SECOND)
    draining: list[Any] = []
    for session in sessions:
        retry_after = round(random.uniform(0, spread), 3)  # noqa: S311 - nobody has to be unable to guess it
        try:
            draining.append(on_loop(session.loop, _drain(session, code, reason, retry_after, timeout)))
        except RuntimeError:
            # Its loop has been closed under it, so nobody is there any more.
            index.remove(session)
    with suppress(TimeoutError):
        async with asyncio.timeout(None if timeout is None else 2 * timeout + _MARGIN):
            await asyncio.gather(*draining, return_exceptions=True)


async def _drain(session: Session, code: int, reason: str, retry_after: float, timeout: float | None) -> None:
    session.announce("ws.drain", {"retry_after": retry_after})
    await session.settle(timeout)
    session.close(code, reason)
    await session.gone(timeout)
