"""Finding the servers that are to be spoken to: one, the one that Sentinels name, or the primaries of a cluster."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from wsproto_redis.link import Away, Link, open_link, socket_options
from wsproto_redis.urls import Address, Location, Options

__all__ = ["Places", "Topology"]

_THE_ONE: Final = ("", 0)


class Topology:
    """The primaries, and which slots each of them has.

    Attributes:
        primaries: their addresses.
    """

    def __init__(self, primaries: list[Address], ranges: list[tuple[int, int, Address]]) -> None:
        self.primaries = primaries
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS if ranges else []
        for first, last, address in ranges:
            self._owners[first : last + 1] = [address] * (last + 1 - first)

    def owner_of(self, slot: int | None) -> Address:
        """Return the primary of a slot; for None, one and the same.

        Raises:
            Away: nobody has the slot just now.
        """
        if slot is None or not self._owners:
            return self.primaries[0]
        owner = self._owners[slot]
        if owner is None:
            raise Away(f"no node of the cluster has slot {slot} just now")
        return owner


class Places:
    """Where to connect.

    Args:
        location: what the URL says.
        options: for the time-outs.
    """

    def __init__(self, location: Location, options: Options) -> None:
        self.location = location
        self._options = options
        self._known: list[Address] = list(location.addresses)

    async def find(self) -> Topology:
        """Ask who the primaries are; where there is but one server, nobody is asked.

        Raises:
            Exception: nobody answers.
        """
        if self.location.kind != "cluster":
            return Topology([_THE_ONE], [])
        error: Exception = Away("no node of the cluster answers")
        for address in list(dict.fromkeys([*self._known, *self.location.addresses])):
            try:
                rows = await self._ask(address, self.location.login, "CLUSTER", "SLOTS")
            except Exception as failed:
                error = failed
                continue
            ranges = [(int(row[0]), int(row[1]), _address(row[2], address)) for row in rows]
            if ranges:
                primaries = sorted({primary for _, _, primary in ranges})
                self._known = primaries
                return Topology(primaries, ranges)
            error = Away("the node of the cluster knows of no slots")
        raise error

    async def connection_to(self, address: Address) -> AbstractConnection:
        """Return a connection that is not connected yet.

        Raises:
            Exception: no Sentinel knows where it is.
        """
        if self.location.kind == "unix":
            return UnixDomainSocketConnection(path=self.location.path, **self._arguments(self.location.login))
        if self.location.kind == "sentinel":
            address = await self._primary_by_sentinel()
        elif address == _THE_ONE:
            address = self.location.addresses[0]
        return self._tcp(address, self.location.login)

    async def _primary_by_sentinel(self) -> Address:
        error: Exception = Away("no Sentinel answers")
        for sentinel in list(self._known):
            try:
                found = await self._ask(
                    sentinel, self.location.sentinel_login, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.location.service
                )
            except Exception as failed:
                error = failed
                continue
            if found:
                # Who has answered is asked first next time.
                self._known.remove(sentinel)
                self._known.insert(0, sentinel)
                return found[0].decode(), int(found[1])
            error = Away(f"the Sentinel knows no service {self.location.service!r}")
        raise error

    async def _ask(self, address: Address, login: Any, *command: str) -> Any:
        link: Link | None = None
        try:
            link = await open_link(
                self._tcp(address, login),
                connect_timeout=self._options.connect_timeout,
                timeout=self._options.connect_timeout,
                push=None,
                lost=lambda: None,
            )
            return await link.ask(*command)
        finally:
            if link is not None:
                link.close()

    def _tcp(self, address: Address, login: Any) -> AbstractConnection:
        arguments = self._arguments(login)
        arguments |= {"host": address[0], "port": address[1], "socket_keepalive": True}
        arguments["socket_keepalive_options"] = socket_options(self._options.timeout)
        if self.location.tls is not None:
            return SSLConnection(**arguments, **self.location.tls)
        return Connection(**arguments)

    def _arguments(self, login: Any) -> dict[str, Any]:
        return {
            **login,
            "protocol": 3,
            **_no_notifications(),
            "socket_timeout": self._options.timeout,
            "socket_connect_timeout": self._options.connect_timeout,
            "retry": Retry(NoBackoff(), 0),
        }


def _no_notifications() -> dict[str, Any]:
    # They are for redis-py's own reader, which is not used here.
    try:
        from redis.maint_notifications import MaintNotificationsConfig
    except ModuleNotFoundError:
        return {}  # redis-py before 6.5 asks for none
    return {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}


def _address(row: Any, asked: Address) -> Address:
    host = row[0].decode() if isinstance(row[0], bytes) else row[0]
    # A node that does not know its own address means the one where it was asked.
    return (host or asked[0], int(row[1]))
