"""Emitting from processes that have no hub: scripts, cron jobs, workers of a job queue."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

from wsproto_core.closing import CloseCode
from wsproto_core.events import Event
from wsproto_core.outside import Audiences, Outgoing, disconnection_of, emission_of
from wsproto_core.signing import Signer
from wsproto_redis.channels import Channels
from wsproto_redis.home import Homes
from wsproto_redis.link import socket_options
from wsproto_redis.urls import Location, Options, read_url

__all__ = ["AsyncRedisEmitter", "RedisEmitter"]

Keys = str | bytes | Iterable[str | bytes] | None


class RedisEmitter:
    """Emits events through Redis, in plain functions. Safe in threads, and after a fork.

    ::

        with RedisEmitter("redis://localhost") as emitter:
            emitter.emit(Said(text="hi"), to=room("lobby"))

    Args:
        url: the one that the hubs have as their ``backplane``.
        prefix: as theirs.
        signing_key: as theirs.
        timeout: seconds that Redis may take to answer.

    Raises:
        ConfigurationError: something is wrong with the URL or an option.
    """

    def __init__(
        self, url: str, *, prefix: str | None = None, signing_key: Keys = None, timeout: float | None = None
    ) -> None:
        location, options = _read(url, prefix, signing_key, timeout)
        self._channels = Channels(options.prefix, sharded=location.kind == "cluster")
        self._signer = Signer(options.signing_key)
        self._location = location
        self._options = options
        self._made: redis.Redis | RedisCluster | None = None

    def emit(self, event: Event, to: Audiences | None = None, *, exclude: str | Iterable[str] = ()) -> int:
        """Send an event to everybody whom an audience means, in all processes.

        Args:
            event: what to send.
            to: the audience or audiences, if the event does not say it itself.
            exclude: ids of connections that do not get it.

        Returns:
            How many processes heard it, as far as Redis says: on a cluster it knows only of one node, and a process
            that listens in two ways counts twice.

        Raises:
            MissingAudienceError: it goes to nobody.
            TypeError: to a kind of recipient that only an application can resolve.
            UnserializableEventError: it holds what JSON cannot carry.
            redis.RedisError: Redis is away, or refuses.
        """
        return self._publish(emission_of(event, to, exclude=exclude))

    def disconnect(self, audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> int:
        """Have every process close its connections of an audience; see `Hub.disconnect`.

        Returns:
            How many processes heard it; see `emit`.

        Raises:
            ValueError: a code that may not be sent (RFC 6455 section 7.4).
            TypeError: a kind of recipient that only an application can resolve.
            redis.RedisError: Redis is away, or refuses.
        """
        return self._publish(disconnection_of(audience, code, reason))

    def close(self) -> None:
        """Disconnect. What is used later connects again."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _publish(self, outgoing: Outgoing) -> int:
        topics, message = outgoing
        if self._made is None:
            self._made = _connect(self._location, self._options)
        heard = 0
        for topic in topics:
            channel, sharded = self._channels.channel_of(topic)
            data = self._signer.sign(topic, message)
            if isinstance(self._made, RedisCluster) and sharded:
                heard += int(self._made.spublish(channel, data))
            else:
                heard += int(self._made.publish(channel, data))
        return heard


class AsyncRedisEmitter:
    """Emits events through Redis, in coroutines, on whatever event loop; see `RedisEmitter`.

    ::

        async with AsyncRedisEmitter("redis://localhost") as emitter:
            await emitter.emit(Said(text="hi"), to=room("lobby"))

    Args:
        url: the one that the hubs have as their ``backplane``.
        prefix: as theirs.
        signing_key: as theirs.
        timeout: seconds that Redis may take to answer.

    Raises:
        ConfigurationError: something is wrong with the URL or an option.
    """

    def __init__(
        self, url: str, *, prefix: str | None = None, signing_key: Keys = None, timeout: float | None = None
    ) -> None:
        location, options = _read(url, prefix, signing_key, timeout)
        self._homes = Homes(location, options)

    async def emit(self, event: Event, to: Audiences | None = None, *, exclude: str | Iterable[str] = ()) -> int:
        """Send an event to everybody whom an audience means, in all processes; see `RedisEmitter.emit`.

        Raises:
            MissingAudienceError: it goes to nobody.
            TypeError: to a kind of recipient that only an application can resolve.
            UnserializableEventError: it holds what JSON cannot carry.
            Away: Redis is away; a `ConnectionError`.
            ReplyError: it refuses.
        """
        return await self._publish(emission_of(event, to, exclude=exclude))

    async def disconnect(self, audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> int:
        """Have every process close its connections of an audience; see `RedisEmitter.disconnect`."""
        return await self._publish(disconnection_of(audience, code, reason))

    async def aclose(self) -> None:
        """Disconnect. What is used later connects again."""
        await self._homes.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _publish(self, outgoing: Outgoing) -> int:
        topics, message = outgoing
        home = self._homes.here()
        return sum([await home.publish(topic, message) or 0 for topic in topics])


def _read(url: str, prefix: str | None, signing_key: Keys, timeout: float | None) -> tuple[Location, Options]:
    if signing_key is not None and not isinstance(signing_key, (str, bytes)):
        signing_key = tuple(signing_key)
    location, options = read_url(url, prefix=prefix, signing_key=signing_key, timeout=timeout)
    Signer(options.signing_key)  # so that a key that is none is told of now
    return location, options


def _connect(location: Location, options: Options) -> redis.Redis | RedisCluster:
    common: dict[str, Any] = {
        "socket_timeout": options.timeout,
        "socket_connect_timeout": options.connect_timeout,
        "client_name": "wsproto",
    }
    if location.kind == "unix":
        return redis.Redis(unix_socket_path=location.path, **location.login, **common)
    common |= {"socket_keepalive": True, "socket_keepalive_options": socket_options(options.timeout)}
    if location.tls is not None:
        common |= {"ssl": True, **location.tls}
    addresses = list(location.addresses)
    if location.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in addresses]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **location.login, **common)
    if location.kind == "sentinel":
        login = {**common, **location.sentinel_login}
        sentinel = Sentinel(addresses, sentinel_kwargs=login)  # type: ignore[no-untyped-call]
        primary: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
            location.service, **location.login, **common
        )
        return primary
    host, port = addresses[0]
    return redis.Redis(host=host, port=port, **location.login, **common)
