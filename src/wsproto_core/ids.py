"""Identifiers: UUIDs (RFC 9562) as text, in the one form that the protocol uses.

A message takes at least one, and asking the kernel for randomness each time costs as much as validating the message.
So the names of messages, which have to be unique and not secret, are counted on from a random beginning. The ids of
connections, which nobody may guess, are all random.
"""

from __future__ import annotations

import itertools
import os
import re
import uuid
from collections.abc import Callable
from typing import Final

__all__ = ["IdFactory", "MessageIds", "canonical_uuid", "new_connection_id", "new_id"]

IdFactory = Callable[[], str]

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

if hasattr(os, "register_at_fork"):  # pragma: no branch - the other branch is Windows, which cannot fork
    os.register_at_fork(after_in_child=new_id.begin)


def new_connection_id() -> str:
    """Return an identifier of 122 random bits: 36 characters, lower case."""
    return str(uuid.uuid4())


def canonical_uuid(value: object) -> str | None:
    """Return a UUID in the one form that the protocol uses, or None.

    Only the 36-character text form is one (protocol section 2): not ``urn:uuid:``, braces or bare digits.
    """
    if isinstance(value, str) and _UUID.fullmatch(value) is not None:
        return value.lower()
    return None
