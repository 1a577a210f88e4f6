"""Identifiers: random UUIDs (RFC 9562 version 4) as text, cut from blocks of the system's randomness.

`uuid.uuid4` asks the kernel once for each identifier; a message takes at least one, so they are taken in blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

__all__ = ["IdFactory", "RandomIds", "canonical_uuid", "new_id"]

IdFactory = Callable[[], str]

_BLOCK_IDS = 64
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class RandomIds:
    """Make version 4 UUIDs with 122 random bits each. Safe to call from any thread.

    Args:
        source: where the random bytes come from; takes a number of bytes. A test holds it still.
    """

    __slots__ = ("_ready", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self.forget()

    def forget(self) -> None:
        """Throw away what was made in advance: a forked process must not repeat its parent's identifiers."""
        self._ready: Iterator[str] = iter(())

    def __call__(self) -> str:
        """Return a new identifier: 36 characters, lower case."""
        # Taking the next item of an iterator over a list is one step, which no other thread can halve.
        made = next(self._ready, None)
        if made is not None:
            return made
        block = self._make_block()
        made = block.pop()
        self._ready = iter(block)
        return made

    def _make_block(self) -> list[str]:
        digits = self._source(16 * _BLOCK_IDS).hex()
        return [
            f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-4{digits[at + 13 : at + 16]}-"
            f"{_VARIANT[digits[at + 16]]}{digits[at + 17 : at + 20]}-{digits[at + 20 : at + 32]}"
            for at in range(0, len(digits), 32)
        ]


new_id = RandomIds()
"""Makes the identifiers of this process: messages, connections."""

if hasattr(os, "register_at_fork"):  # pragma: no branch - the other branch is Windows, which cannot fork
    os.register_at_fork(after_in_child=new_id.forget)


def canonical_uuid(value: object) -> str | None:
    """Return a UUID in the one form that the protocol uses, or None.

    Only the 36-character text form is one (protocol section 2): not ``urn:uuid:``, braces or bare digits.
    """
    if isinstance(value, str) and _UUID.fullmatch(value) is not None:
        return value.lower()
    return None
