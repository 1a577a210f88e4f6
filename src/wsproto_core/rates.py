"""How many messages a connection may send: a bucket of tokens that fills with time."""

from __future__ import annotations

import math

__all__ = ["TokenBucket"]


class TokenBucket:
    """Allows so many messages a second on average, and some at once. Times are seconds of a monotonic clock.

    Args:
        rate: messages per second, or a pair of that and of how many may come at once; without the second, as many as
            come in a second, and at least one.
        now: the time; the bucket is full then.
    """

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, rate: float | tuple[float, int], now: float) -> None:
        if isinstance(rate, tuple):
            self._per_second, self._burst = rate
        else:
            self._per_second, self._burst = rate, max(1, math.ceil(rate))
        self._tokens: float = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token for one message; return 0, or after how many seconds there will be one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        # Whoever waits for just as long as it was told must not miss it by a rounding error.
        if self._tokens >= 1 - 1e-9:
            self._tokens = max(0.0, self._tokens - 1)
            return 0.0
        return (1 - self._tokens) / self._per_second
