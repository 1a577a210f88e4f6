"""What waits to be written to one connection, and what becomes of it when its client is too slow.

An answer to the connection's own request is never lost: whoever asks waits while too much waits already. An event that
comes from elsewhere cannot wait; what happens when there is no room for it is the policy ``Limits.slow_consumer``, a
class for each. Events have their room to themselves: who reads a long answer as fast as it comes always has as much of
it waiting as may, and is not slow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final, NamedTuple

from wsproto_core.limits import Limits

__all__ = ["NO_ROOM", "ClosingQueue", "ConflatingQueue", "DroppingQueue", "FrameQueue", "Offered", "queue_for"]


class Offered(NamedTuple):
    """What became of an event that was offered to a queue.

    Attributes:
        queued: whether it waits now.
        lost: how many events are never written because of it, itself perhaps among them.
    """

    queued: bool
    lost: int = 0


NO_ROOM: Final = Offered(queued=False)
"""The client is too slow, and is to be cut."""
_QUEUED: Final = Offered(queued=True)


class _Entry:
    __slots__ = ("frame", "is_event", "key", "size")

    def __init__(self, frame: Any, size: int, key: str | None = None, *, is_event: bool = False) -> None:
        self.frame = frame  # None once it is lost
        self.size = size
        self.key = key
        self.is_event = is_event


class FrameQueue(ABC):
    """Frames in order.

    Args:
        limits: how many events and bytes of events it holds, and from what on answers are to wait.

    Attributes:
        bytes: of the frames that wait.
        events: how many of these come from elsewhere.
    """

    __slots__ = ("_entries", "_event_bytes", "_limits", "bytes", "events")

    def __init__(self, limits: Limits) -> None:
        self._entries: deque[_Entry] = deque()
        self._limits = limits
        self.bytes = 0
        self.events = 0
        self._event_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, frame: Any, size: int) -> None:
        """Queue a frame that must not be lost."""
        self._append(_Entry(frame, size))

    @abstractmethod
    def offer(self, frame: Any, size: int, key: str | None) -> Offered:
        """Queue an event that comes from elsewhere, if there is room; where no event waits, any one is taken.

        Args:
            frame: that carries it.
            size: bytes.
            key: see `EncodedEvent`.
        """

    def take(self) -> Any:
        """Return the frame that waits longest."""
        entry = self._entries.popleft()
        self._forget(entry)
        return entry.frame

    def is_over(self) -> bool:
        """Say whether more waits than may, so that whoever answers is to wait."""
        return len(self) > self._limits.outbox_messages or self.bytes > self._limits.outbox_bytes

    def _append(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self.bytes += entry.size
        if entry.is_event:
            self.events += 1
            self._event_bytes += entry.size

    def _forget(self, entry: _Entry) -> None:
        self.bytes -= entry.size
        if entry.is_event:
            self.events -= 1
            self._event_bytes -= entry.size

    def _has_room(self, size: int) -> bool:
        limits, events = self._limits, self.events
        return not events or (events < limits.outbox_messages and self._event_bytes + size <= limits.outbox_bytes)


class ClosingQueue(FrameQueue):
    """Has no room for what is too much: the connection ends (``close``)."""

    __slots__ = ()

    def offer(self, frame: Any, size: int, key: str | None) -> Offered:
        """Queue an event; see `FrameQueue.offer`."""
        if not self._has_room(size):
            return NO_ROOM
        self._append(_Entry(frame, size, key, is_event=True))
        return _QUEUED


class _Sparse(FrameQueue):
    """A queue from whose middle frames are lost; they stay as gaps until they are passed over or too many."""

    __slots__ = ("_gaps",)

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._gaps = 0

    def __len__(self) -> int:
        return len(self._entries) - self._gaps

    def take(self) -> Any:
        """Return the frame that waits longest."""
        while True:
            entry = self._entries.popleft()
            if entry.frame is None:
                self._gaps -= 1
                continue
            self._forget(entry)
            self._taken(entry)
            return entry.frame

    def _lose(self, entry: _Entry) -> None:
        entry.frame = None
        self._forget(entry)
        self._gaps += 1
        if self._gaps > 16 and self._gaps > len(self._entries) // 2:
            self._entries = deque(each for each in self._entries if each.frame is not None)
            self._gaps = 0

    @abstractmethod
    def _taken(self, entry: _Entry) -> None:
        """Note that an entry is written."""


class DroppingQueue(_Sparse):
    """Loses the events that wait longest, until there is room for the new one (``drop_oldest``)."""

    __slots__ = ("_waiting",)

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._waiting: deque[_Entry] = deque()

    def offer(self, frame: Any, size: int, key: str | None) -> Offered:
        """Queue an event; see `FrameQueue.offer`."""
        lost = 0
        while not self._has_room(size):
            self._lose(self._waiting.popleft())
            lost += 1
        entry = _Entry(frame, size, key, is_event=True)
        self._append(entry)
        self._waiting.append(entry)
        return Offered(queued=True, lost=lost)

    def _taken(self, entry: _Entry) -> None:
        if entry.is_event:
            self._waiting.popleft()


class ConflatingQueue(_Sparse):
    """Keeps, when there is no room, only the newest event of each key (``conflate``).

    What has no key, or too many keys, has no room as in `ClosingQueue`. While there is room nothing is lost: a client
    that reads gets every event of a burst.
    """

    __slots__ = ("_newest", "_older")

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._newest: dict[str, _Entry] = {}
        self._older = 0
        """How many events wait that a newer one could take the place of."""

    def offer(self, frame: Any, size: int, key: str | None) -> Offered:
        """Queue an event; see `FrameQueue.offer`."""
        lost = 0
        if not self._has_room(size) and self._older:
            lost = self._conflate()
        if not self._has_room(size) and key in self._newest:
            self._lose(self._newest.pop(key))
            lost += 1
        if not self._has_room(size):
            return NO_ROOM
        entry = _Entry(frame, size, key, is_event=True)
        self._append(entry)
        if key is not None:
            self._older += key in self._newest
            self._newest[key] = entry
        return Offered(queued=True, lost=lost)

    def _conflate(self) -> int:
        """Lose every event that a newer one could take the place of; return how many those were."""
        older = [
            each
            for each in self._entries
            if each.frame is not None and each.key is not None and self._newest[each.key] is not each
        ]
        for each in older:
            self._lose(each)
        self._older = 0
        return len(older)

    def _taken(self, entry: _Entry) -> None:
        if entry.key is None:
            return
        if self._newest[entry.key] is entry:
            del self._newest[entry.key]
        else:
            self._older -= 1


_POLICIES: Final[dict[str, type[FrameQueue]]] = {
    "close": ClosingQueue,
    "drop_oldest": DroppingQueue,
    "conflate": ConflatingQueue,
}


def queue_for(limits: Limits) -> FrameQueue:
    """Return an empty queue with the policy of these limits."""
    return _POLICIES[limits.slow_consumer](limits)
