"""Pings, so that a client that vanished without a word is found."""

from __future__ import annotations

from wsproto_core.closing import CloseCode
from wsproto_core.threaded import ThreadedSession
from wsproto_flask.frames import FrameTransport

__all__ = ["Heartbeat"]


class Heartbeat:
    """Pings one connection, on its event loop, and closes it when nothing comes between two pings.

    Args:
        session: the connection.
        transport: its frames.
        interval: seconds between pings.
    """

    def __init__(self, session: ThreadedSession, transport: FrameTransport, interval: float) -> None:
        self._session = session
        self._transport = transport
        self._interval = interval
        self._timer = session.loop.call_later(interval, self._beat)

    def _beat(self) -> None:
        transport, session = self._transport, self._session
        # What has come and was not read yet is our delay, and no silence.
        if not transport.alive and not transport.has_unread():
            session.close(CloseCode.INTERNAL_ERROR, "No answer to a ping; connect again.")
        elif session.is_open:
            transport.alive = False
            transport.ping()
            session.nudge()
            self._timer = session.loop.call_later(self._interval, self._beat)

    def stop(self) -> None:
        """Ping no more."""
        self._timer.cancel()
