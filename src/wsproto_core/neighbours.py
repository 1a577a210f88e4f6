"""What the hubs of other processes ask of this one: to deliver, to disconnect, to say where something is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from wsproto_core.admission import Gate
from wsproto_core.attendance import Attendance
from wsproto_core.fanout import Fanout
from wsproto_core.index import Index
from wsproto_core.publications import Disconnection, PresenceChange, Publication
from wsproto_core.recipients import BUILTIN_KINDS
from wsproto_core.routes import EVERYONE_CHANNEL, connection_channel
from wsproto_core.tasks import call_on, running_loop
from wsproto_core.topics import escape_level

if TYPE_CHECKING:
    from wsproto_core.session import Session

__all__ = ["Neighbours"]

_AT_ONCE: Final = 100  # connections that are told of a gap before others have their turn


class Neighbours:
    """Does what other processes ask for. Safe from any thread.

    Args:
        index: who listens to what.
        gate: holds those who are on their way.
        fanout: delivers.
        attendance: knows who is present; None when nobody asks for that.
    """

    def __init__(self, index: Index, gate: Gate, fanout: Fanout, attendance: Attendance | None) -> None:
        self._attendance = attendance
        self._index = index
        self._gate = gate
        self._fanout = fanout
        self._telling: set[asyncio.Task[None]] = set()

    def publication(self, publication: Publication) -> None:
        """Deliver an event."""
        self._fanout.receive(publication)

    def disconnection(self, asked: Disconnection) -> None:
        """Close the connections of some audiences, also those that are on their way."""
        audiences = [each for each in asked.audiences if each.kind in BUILTIN_KINDS]
        self._gate.revoke(audiences, asked.code, asked.reason)
        for audience in audiences:
            for session in self._fanout.local_members(audience):
                if session.id not in asked.exclude:
                    session.close_threadsafe(asked.code, asked.reason)

    def presence(self, change: PresenceChange) -> None:
        """Take word of who comes and goes."""
        if self._attendance is not None:
            self._attendance.hear(change)

    def gap(self, channels: Iterable[str] | None) -> None:
        """Tell clients that events of some topics, or of all that they listen to, may have been missed."""
        channels = None if channels is None else list(channels)
        if self._attendance is not None:
            self._attendance.miss(channels)
        if channels is not None:
            for channel in channels:
                for session in self._index.behind(channel):
                    _tell(session, _name_for(session, channel))
            return
        loop = running_loop()
        if loop is None:
            for session in self._negotiated():
                self._tell_all(session)
            return
        # There may be many of them.
        task = loop.create_task(self._tell_by_and_by())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_by_and_by(self) -> None:
        for number, session in enumerate(self._negotiated(), 1):
            self._tell_all(session)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _negotiated(self) -> list[Session]:
        return [session for session in list(self._index.connections.values()) if session.negotiated]

    def _tell_all(self, session: Session) -> None:
        for channel in self._index.topics_of(session):
            if channel != EVERYONE_CHANNEL or self._fanout.allow_broadcast:
                _tell(session, _name_for(session, channel))


def _name_for(session: Session, channel: str) -> str:
    """Return how a channel is called to a client: its own connection is one, whatever channel leads there."""
    return f"connection/{escape_level(session.id)}" if channel == connection_channel(session.id) else channel


def _tell(session: Session, topic: str) -> None:
    if session.loop is running_loop() or session.threadsafe:
        session.announce("ws.gap", {"topic": topic})
    else:
        call_on(session.loop, session.announce, "ws.gap", {"topic": topic})
