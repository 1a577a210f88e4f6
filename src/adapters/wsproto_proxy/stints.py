"""Work on one connection that may never have to wait, and gives way to the others all the same."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

__all__ = ["Stint"]

_FRAMES: Final = 32
_SECONDS: Final = 0.005


class Stint:
    """What one task does in a row: awaiting what is at hand already, it would never let the event loop go on."""

    def __init__(self) -> None:
        self._frames = 0
        self._since = monotonic()

    async def step(self) -> None:
        """Count a frame; give way after so many of them, or so much time."""
        self._frames += 1
        if self._frames >= _FRAMES or monotonic() - self._since > _SECONDS:
            await asyncio.sleep(0)
            self._frames = 0
            self._since = monotonic()
