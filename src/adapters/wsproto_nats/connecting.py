"""Which server to connect to: one of those that are known, in turn."""

from __future__ import annotations

import random
from collections.abc import Callable

from wsproto_nats.addresses import Address, Login
from wsproto_nats.handshake import open_connection
from wsproto_nats.link import Link

__all__ = ["Connector"]


class Connector:
    """Connects to the first server that answers.

    Args:
        addresses: of the servers of one cluster.
        login: what is the same for all.
        name: that they know the connection by.
    """

    def __init__(self, addresses: list[Address], login: Login, name: str) -> None:
        self._given = addresses
        # What servers tell of others in their cluster, by their host and port.
        self._told: dict[tuple[str, int], Address] = {}
        self._login = login
        self._name = name

    async def connect(self, heard: Callable[[int, bytes, bytes], None]) -> Link:
        """Connect.

        Args:
            heard: takes the number of a subscription, the subject and the payload of each message.

        Raises:
            ConnectionError: no server takes us; it says what the last one did.
        """
        # So that not all processes are at the same server.
        given, told = list(self._given), list(self._told.values())
        random.shuffle(given)
        random.shuffle(told)
        refused: Exception = ConnectionError("there is no server")
        for address in [*given, *told]:
            try:
                opened = await open_connection(address, self._login, self._name)
            except Exception as error:
                refused = ConnectionError(f"{address.url}: {str(error) or type(error).__name__}")
                continue
            known = {(each.host, each.port) for each in self._given}
            self._told = {(each.host, each.port): each for each in opened.others if (each.host, each.port) not in known}
            return Link(opened, heard, address.url)
        raise refused
