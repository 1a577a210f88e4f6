"""Identifiers: UUIDs (RFC 9562) as text, in the one form that the protocol uses.

A message takes at least one, and asking the kernel for randomness each time costs as much as validating the message.
So the names of messages, which have to be unique and not secret, are counted on from a random beginning. The ids of
connections, which nobody may guess, are random, after a part that says which process they belong to.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import uuid
from collections.abc import Callable
from typing import Final

__all__ = ["ConnectionIds", "IdFactory", "MessageIds", "canonical_uuid", "new_connection_id", "new_id", "process_of"]

IdFactory = Callable[[], str]

_MINTED: Final = re.compile(r"([0-9a-f]{16})\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class MessageIds:
    """Make identifiers that no other process makes. Safe to call from any thread.

    They are marked as version 4, which every client takes. Of their 122 bits 74 are random for each process, and the
    last 48 are a counter that begins at random.

    Args:
        source: where the random bytes come from; takes a number of bytes. A test holds it still.
    """

    __slots__ = ("_count", "_prefix", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self.begin()

    def begin(self) -> None:
        """Begin at random: a forked process must not repeat its parent's identifiers."""
        beginning = str(uuid.UUID(bytes=self._source(16), version=4))
        self._prefix = beginning[:24]
        # Half of the range is left before the counter would wrap, which is centuries.
        self._count = itertools.count(int(beginning[24:], 16) >> 1).__next__

    def __call__(self) -> str:
        """Return a new identifier: 36 characters, lower case."""
        return f"{self._prefix}{self._count():012x}"


new_id: Final = MessageIds()
"""Makes the names of messages in this process."""


class ConnectionIds:
    """Make ids of connections: 16 hexadecimal digits for this process, a dot, and a UUID of 122 random bits.

    What is for one connection travels to its process, and all connections of that share one subscription.
    """

    __slots__ = ("_process",)

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew: a forked process has connections of its own."""
        self._process = secrets.token_hex(8)

    def __call__(self) -> str:
        """Return a new id: 53 characters."""
        return f"{self._process}.{uuid.uuid4()}"


new_connection_id: Final = ConnectionIds()
"""Makes the ids of connections in this process."""

if hasattr(os, "register_at_fork"):  # pragma: no branch - the other branch is Windows, which cannot fork
    os.register_at_fork(after_in_child=new_id.begin)
    os.register_at_fork(after_in_child=new_connection_id.begin)


def process_of(connection_id: str) -> str | None:
    """Return which process made the id of a connection; None when the application gave it."""
    match = _MINTED.fullmatch(connection_id)
    return match[1] if match is not None else None


def canonical_uuid(value: object) -> str | None:
    """Return a UUID in the one form that the protocol uses, or None.

    Only the 36-character text form is one (protocol section 2): not ``urn:uuid:``, braces or bare digits.
    """
    if isinstance(value, str) and _UUID.fullmatch(value) is not None:
        return value.lower()
    return None
