"""Database connections outside of Django's request: nobody ends them there but us."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections

from wsproto_core.tasks import call_on

__all__ = ["Sweeper", "clean_connections", "sweeper"]

log = logging.getLogger("wsproto_core.channels")

_INTERVAL: Final = 1.0  # seconds


@contextmanager
def clean_connections() -> Generator[None]:
    """Around a plain function in a thread: close the connections that are unusable or too old, as a request does."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


class Sweeper:
    """Closes what async handlers leave open.

    Django's async ORM works in a thread of asgiref's, with a connection that no request ends there: it would outlive
    its ``CONN_MAX_AGE``, and stay broken for good after the database was restarted. To ask that thread at every message
    would cost more than the message, so it is asked every second while it has a connection.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeping: asyncio.Task[None] | None = None

    def serves(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note the loop that sockets are served on."""
        self._loop = loop

    def note(self, **_: object) -> None:
        """Begin to sweep: a connection to a database was made, in whatever thread."""
        if self._loop is not None and (self._sweeping is None or self._sweeping.done()):
            # In an empty context: what belongs to the caller must not decide about the thread.
            contextvars.Context().run(call_on, self._loop, self._begin)

    def _begin(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        try:
            while True:
                await asyncio.sleep(_INTERVAL)
                if not await sync_to_async(_close_old)():
                    return
        except Exception:
            log.exception("database connections could not be cleaned up")


def _close_old() -> bool:
    """Close the connections of this thread that are unusable or too old; say whether any is left."""
    close_old_connections()
    return any(each.connection is not None for each in connections.all(initialized_only=True))


sweeper: Final = Sweeper()
"""Of this process; told of new connections by Django's signal, and of the loop by the consumers."""
