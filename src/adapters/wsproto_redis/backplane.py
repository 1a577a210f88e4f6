"""The backplane on Redis: publish and subscribe, at most once, and word of it when something may have been missed."""

from __future__ import annotations

from collections.abc import Iterable

from wsproto_core.backplane import Receiver
from wsproto_core.signing import Signer
from wsproto_redis.home import Homes
from wsproto_redis.presence import RedisPresenceStore
from wsproto_redis.urls import read_url

__all__ = ["RedisBackplane", "backplane_from_url"]


class RedisBackplane:
    """Connects hubs through Redis 6 or newer, or what speaks like it; see `wsproto_core.Backplane`.

    One connection listens and one publishes, or as many to each primary of a cluster. Both are made anew within a
    second of Redis's return. Nothing polls.

    Args:
        url: see `wsproto_redis.urls`; the following may also be said in its query string, ``?prefix=shop:``.
        prefix: begins the names of all channels and keys, so that applications can share a Redis.
        signing_key: one key of at least 16 bytes, or several (see `wsproto_core.signing`): what is not signed with one
            of them is passed over.
        timeout: seconds that Redis may take to answer.
        connect_timeout: seconds that an attempt to connect may take.
        keepalive: seconds of silence after which Redis is asked whether it is there.
        max_message_bytes: larger messages are refused, and passed over when somebody else published them.
        queue_messages: how many published messages may wait for Redis; whoever publishes more has to wait.
        queue_bytes: how many bytes of them.

    Raises:
        ConfigurationError: one of them is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str | None = None,
        signing_key: str | bytes | Iterable[str | bytes] | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        keepalive: float | None = None,
        max_message_bytes: int | None = None,
        queue_messages: int | None = None,
        queue_bytes: int | None = None,
    ) -> None:
        if signing_key is not None and not isinstance(signing_key, (str, bytes)):
            signing_key = tuple(signing_key)
        self._location, self._options = read_url(
            url,
            prefix=prefix,
            signing_key=signing_key,
            timeout=timeout,
            connect_timeout=connect_timeout,
            keepalive=keepalive,
            max_message_bytes=max_message_bytes,
            queue_messages=queue_messages,
            queue_bytes=queue_bytes,
        )
        Signer(self._options.signing_key)  # so that a key that is none is told of now
        self._homes = Homes(self._location, self._options)
        self._presence = RedisPresenceStore.of(self._homes, self._options.prefix)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._location}>"

    def presence_store(self) -> RedisPresenceStore:
        """Return the store for presence in the same Redis, through the same connections."""
        return self._presence

    async def start(self, receiver: Receiver) -> None:
        """Connect; from now on the receiver is called for each message of a topic that is subscribed."""
        home = self._homes.here()
        home.listen(receiver)
        await home.tried()

    async def stop(self) -> None:
        """Let what was published get through, for a second at most, and disconnect."""
        await self._homes.stop()

    async def subscribe(self, topic: str) -> None:
        """Listen to a topic or to what a filter stands for; return once Redis has confirmed it, if it is there.

        Raises:
            ReplyError: Redis does not allow it.
        """
        await self._homes.here().subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Stop listening to a topic."""
        await self._homes.here().unsubscribe(topic)

    async def publish(self, topic: str, message: bytes) -> None:
        """Send a message, together with those that are published at the same time.

        Raises:
            Away: Redis cannot be reached just now; a `ConnectionError`.
            ReplyError: Redis refused this message or an earlier one.
            ValueError: it is larger than `max_message_bytes`.
        """
        await self._homes.here().publish(topic, message)


def backplane_from_url(url: str) -> RedisBackplane:
    """Return the backplane that a URL describes. It connects when it is started.

    Raises:
        ConfigurationError: something is wrong with the URL.
    """
    return RedisBackplane(url)
