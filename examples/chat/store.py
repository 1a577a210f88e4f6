"""What the chat remembers: rooms, their last messages, and names. Who is in a room is not here: that is presence."""

import os
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from examples.chat.events import Person, Said

FIRST_ROOMS = ("lobby", "music", "help")
MESSAGES, NAMES = 50, 10_000  # at most: of a room, and in all


class Store(Protocol):
    async def rooms(self) -> list[str]: ...
    async def open(self, room: str) -> None: ...
    async def close(self, room: str) -> None: ...
    async def keep(self, room: str, said: Said) -> None: ...
    async def messages(self, room: str) -> list[Said]: ...
    async def remember(self, person: Person) -> None: ...
    async def names(self, user_ids: Iterable[Any]) -> dict[str, dict[str, str]]: ...


class MemoryStore:
    """Remembers in this process, as long as it runs."""

    def __init__(self) -> None:
        self._rooms = {name: deque[Said](maxlen=MESSAGES) for name in FIRST_ROOMS}
        self._names: dict[str, str] = {}

    async def rooms(self) -> list[str]:
        return [*self._rooms]

    async def open(self, room: str) -> None:
        self._rooms.setdefault(room, deque(maxlen=MESSAGES))

    async def close(self, room: str) -> None:
        self._rooms.pop(room, None)

    async def keep(self, room: str, said: Said) -> None:
        self._rooms[room].append(said)

    async def messages(self, room: str) -> list[Said]:
        return [*self._rooms[room]]

    async def remember(self, person: Person) -> None:
        self._names.pop(person.id, None)
        self._names[person.id] = person.name
        if len(self._names) > NAMES:
            del self._names[next(iter(self._names))]  # who came longest ago

    async def names(self, user_ids: Iterable[Any]) -> dict[str, dict[str, str]]:
        return {each: {"name": self._names[each]} for each in user_ids if each in self._names}


def store_for(backplane: str) -> Store:
    """Return the store of all processes that have this backplane."""
    if backplane.startswith("memory:"):
        return MemoryStore()
    from examples.cluster.store import RedisStore

    return RedisStore(backplane)


BACKPLANE = os.environ.get("BACKPLANE", "memory://")
store = store_for(BACKPLANE)
