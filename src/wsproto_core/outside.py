"""Emitting without a hub: what a script, a cron job or a worker of a job queue publishes for the hubs elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from wsproto_core.closing import CloseCode, check_close_code
from wsproto_core.encoding import encode_event
from wsproto_core.errors import MissingAudienceError
from wsproto_core.events import Event, as_audiences, target_of
from wsproto_core.ids import new_id
from wsproto_core.publications import write_disconnection, write_publication
from wsproto_core.recipients import BUILTIN_KINDS, Audience, SupportsAudience
from wsproto_core.routes import channel_of

__all__ = ["Audiences", "Outgoing", "disconnection_of", "emission_of"]

Audiences = Audience | SupportsAudience | Iterable[Audience | SupportsAudience]
Outgoing = tuple[list[str], bytes]
"""The channels that a message goes to, and the message."""


def emission_of(event: Event, to: Audiences | None = None, *, exclude: str | Iterable[str] = ()) -> Outgoing:
    """Return what carries an event to every hub that has listeners for it.

    Args:
        event: what to send.
        to: the audience or audiences, if the event does not say it itself.
        exclude: ids of connections that do not get it.

    Raises:
        MissingAudienceError: it goes to nobody.
        TypeError: to a kind of recipient that only an application can resolve.
        UnserializableEventError: it holds what JSON cannot carry.
    """
    target = target_of(event)
    audiences = as_audiences(to) or target.audiences
    if not audiences:
        raise MissingAudienceError(
            f"The event {event.event_name!r} goes to nobody: say to=room(…), user(…), topic(…) or connection(…)."
        )
    excluded = target.exclude | frozenset((exclude,) if isinstance(exclude, str) else exclude)
    message = write_publication(encode_event(event, new_id(), target.key), "", audiences, excluded)
    return _channels(audiences), message


def disconnection_of(audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> Outgoing:
    """Return what has every hub close its connections of an audience; see `Hub.disconnect`.

    Raises:
        ValueError: a code that may not be sent (RFC 6455 section 7.4).
        TypeError: a kind of recipient that only an application can resolve.
    """
    check_close_code(code)
    audiences = as_audiences(audience)
    return _channels(audiences), write_disconnection("", audiences, code, reason)


def _channels(audiences: Iterable[Audience]) -> list[str]:
    for each in audiences:
        if each.kind not in BUILTIN_KINDS:
            raise TypeError(f"{each!r} means something only in an application's process; name rooms, users or topics.")
    return list(dict.fromkeys(map(channel_of, audiences)))
