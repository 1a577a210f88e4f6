"""One-time tickets in Redis, for servers of more than one process."""

from __future__ import annotations

from wsproto_redis.home import Homes
from wsproto_redis.urls import read_url

__all__ = ["RedisTicketStore"]


class RedisTicketStore:
    """Keeps tickets where every process finds them: ``Tickets(store=RedisTicketStore("redis://…"))``.

    Works on any event loop. Needs Redis 6.2, for GETDEL.

    Args:
        url: of Redis; see `RedisBackplane`.
        prefix: begins the names of all keys; they go on with ``ticket:``.
        timeout: seconds that Redis may take to answer.

    Raises:
        ConfigurationError: something is wrong with the URL or an option.
    """

    def __init__(self, url: str, *, prefix: str | None = None, timeout: float | None = None) -> None:
        location, options = read_url(url, prefix=prefix, timeout=timeout)
        self._prefix = f"{options.prefix}ticket:"
        self._homes = Homes(location, options)

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so many seconds.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        name = self._prefix + key
        await self._homes.here().command(name, "SET", name, value, "PX", str(max(1, round(1000 * seconds))))

    async def take(self, key: str) -> bytes | None:
        """Return a value and forget it, in one step, so that nobody takes it twice.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        name = self._prefix + key
        value: bytes | None = await self._homes.here().command(name, "GETDEL", name)
        return value

    async def aclose(self) -> None:
        """Disconnect. What is used later connects again."""
        await self._homes.stop()
