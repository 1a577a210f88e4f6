"""When a connection ends by the clock: no credential, an expired one, silence, age (protocol section 11)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

from wsproto_core.closing import CloseCode

if TYPE_CHECKING:
    from wsproto_core.limits import Limits

__all__ = ["Lifetime", "Mortal", "ping_interval_of", "silence_of"]

_BEATS: Final = 3  # intervals without a word, after which a client that was told to speak is taken for gone


class Mortal(Protocol):
    """What a lifetime ends: a session."""

    @property
    def is_busy(self) -> bool:
        """Whether a message of the client is being handled."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End it."""
        ...


class Lifetime:
    """The timers of one connection. Used on its own loop.

    Args:
        session: what is ended.
        loop: its event loop.

    Attributes:
        heard: when the client was last heard; seconds of `time.perf_counter`.
    """

    __slots__ = ("_credential", "_loop", "_oldest", "_session", "_silence", "_silence_timer", "heard")

    def __init__(self, session: Mortal, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop
        self._credential: asyncio.TimerHandle | None = None
        self._oldest: asyncio.TimerHandle | None = None
        self._silence = 0.0
        self._silence_timer: asyncio.TimerHandle | None = None
        self.heard = time.perf_counter()

    def limit(self, max_lifetime: float | None, silence: float | None) -> None:
        """Begin to count.

        Args:
            max_lifetime: seconds from now.
            silence: seconds without a message; a client whose message is being handled is not silent.
        """
        if max_lifetime is not None:
            reason = "The connection has reached its age limit; connect again."
            self._oldest = self._loop.call_later(max_lifetime, self._session.close, CloseCode.TIMEOUT, reason)
        if silence is not None:
            self._silence = silence
            self._silence_timer = self._loop.call_later(silence, self._listen)

    def authenticate_within(self, seconds: float) -> None:
        """End a connection that has not authenticated by then."""
        self._set_credential(seconds, CloseCode.TIMEOUT, "Not authenticated in time; send ws.authenticate first.")

    def expire_at(self, moment: float | None, grace: float) -> None:
        """End the connection when its credential does.

        Args:
            moment: seconds since the epoch; None when it does not expire.
            grace: seconds after that.
        """
        if self._credential is not None:
            self._credential.cancel()
            self._credential = None
        if moment is not None:
            reason = "The credential has expired; connect with a new one."
            self._set_credential(max(0.0, moment - time.time() + grace), CloseCode.UNAUTHORIZED, reason)

    def stop(self) -> None:
        """Let go of all timers."""
        for timer in (self._credential, self._oldest, self._silence_timer):
            if timer is not None:
                timer.cancel()

    def _set_credential(self, seconds: float, code: CloseCode, reason: str) -> None:
        self._credential = self._loop.call_later(seconds, self._session.close, code, reason)

    def _listen(self) -> None:
        """End the connection if it has been silent for long enough; else look again when it may have been."""
        if self._session.is_busy:
            self.heard = time.perf_counter()
        left = self.heard + self._silence - time.perf_counter()
        if left > 0:
            self._silence_timer = self._loop.call_later(left, self._listen)
        else:
            self._session.close(CloseCode.TIMEOUT, "Nothing came for too long; connect again.")


def silence_of(limits: Limits, *, told_to_speak: bool) -> float | None:
    """Return how many seconds a client may be silent.

    Args:
        limits: of the hub.
        told_to_speak: whether it was told to send ``health``, and nothing else asks whether it is there.
    """
    beats = limits.heartbeat_interval * _BEATS if told_to_speak and limits.heartbeat_interval is not None else None
    return min((each for each in (limits.idle_timeout, beats) if each is not None), default=None)


def ping_interval_of(limits: Limits) -> float | None:
    """Return after how many seconds of silence a client is to send ``health`` (protocol section 5)."""
    half = limits.idle_timeout / 2 if limits.idle_timeout is not None else None
    return min((each for each in (half, limits.heartbeat_interval) if each is not None), default=None)
