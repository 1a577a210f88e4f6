"""What a hub tells about itself: the document, made when it is asked for, with what its hosts know."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from wsproto_core.asyncapi.document import build_document
from wsproto_core.asyncapi.sockets import HostFacts, Socket
from wsproto_core.settings import Settings

__all__ = ["Contract"]


class Contract:
    """The document of a hub.

    Args:
        settings: of the hub.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._hosts: list[HostFacts] = []
        self._lock: Final = threading.Lock()

    def add_host(self, host: HostFacts) -> None:
        """Have a host tell where its sockets are."""
        with self._lock:
            self._hosts.append(host)

    def document(self, *, root_path: str = "") -> dict[str, Any]:
        """Return the AsyncAPI document as JSON data; see `build_document`.

        Args:
            root_path: what comes before the paths of the sockets, for who asks from outside.
        """
        return build_document(self._settings, self.sockets(), info=self.info(), root_path=root_path)

    def sockets(self) -> list[Socket]:
        """Return the sockets: those that the settings name, else those that the hosts have."""
        if self._settings.sockets is not None:
            return [Socket(address=address) for address in self._settings.sockets]
        found = [socket for host in self._hosts for socket in host.sockets()]
        return list({(socket.address, socket.foreign): socket for socket in reversed(found)}.values())[::-1]

    def info(self) -> Mapping[str, Any]:
        """Return what the hosts call themselves; of several, the first."""
        info: dict[str, Any] = {}
        for host in reversed(self._hosts):
            info |= {name: value for name, value in host.info().items() if value}
        return info
