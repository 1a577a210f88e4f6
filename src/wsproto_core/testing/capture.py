"""What an application emits, to anybody."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from wsproto_core.encoding import EncodedEvent
from wsproto_core.envelopes import EventEnvelope
from wsproto_core.events import Event
from wsproto_core.hub import Hub
from wsproto_core.recipients import Audience

__all__ = ["Captured", "as_event", "captured", "find_event", "missing_event"]

EventT = TypeVar("EventT", bound=Event)


class Captured(list[EventEnvelope]):
    """The events that were emitted, in order; one for each audience."""

    def expect(self, event: type[EventT]) -> EventT:
        """Return the first event of a class.

        Raises:
            AssertionError: there is none; it shows what there is. Or what travels cannot be read back as the class.
        """
        return find_event(self, event)


@contextmanager
def captured(hub: Hub) -> Generator[Captured]:
    """Collect what a hub emits, whoever it is for and from whichever thread.

    ::

        with captured(hub) as events:
            await hub.emit(Said(text="hi"), to=room("lobby"))
        assert events.expect(Said).text == "hi"
    """
    events = Captured()

    def observe(event: EncodedEvent, audiences: tuple[Audience, ...]) -> None:
        payload = from_json(event.payload)
        events.extend(
            EventEnvelope(
                msg_id=event.msg_id,
                event=event.name,
                recipient=audience.kind,
                recipient_id=audience.id,
                payload=payload,
            )
            for audience in audiences
        )

    hub.fanout.observers.append(observe)
    try:
        yield events
    finally:
        hub.fanout.observers.remove(observe)


def find_event(events: Iterable[EventEnvelope], wanted: type[EventT], *, otherwise: object = None) -> EventT:
    """Return the first event of a class, as that class.

    Args:
        events: where it is looked for.
        wanted: the class.
        otherwise: shown in the error besides the events.

    Raises:
        AssertionError: there is none; it shows what there is. Or what travels cannot be read back as the class.
    """
    came = list(events)
    for envelope in came:
        if envelope.event == wanted.event_name:
            return as_event(envelope, wanted)
    raise missing_event(came, wanted, otherwise=otherwise)


def as_event(envelope: EventEnvelope, wanted: type[EventT]) -> EventT:
    """Return what an envelope carries as its class.

    Raises:
        AssertionError: the class does not take what it wrote itself, as with aliases for writing and excluded fields.
    """
    try:
        return wanted.model_validate(envelope.payload)
    except ValidationError as error:
        wrong = "".join(
            f"\n  {'.'.join(str(step) for step in each['loc']) or 'all of it'}: {each['msg']}"
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise AssertionError(
            f"The event {envelope.event!r} came, but its payload cannot be read back as a {wanted.__name__}. "
            f"Compare what travels instead, as in reply.events[0].payload:\n  {envelope.payload}{wrong}"
        ) from None


def missing_event(
    came: Iterable[EventEnvelope], wanted: type[Event], *, otherwise: object = None, ended: str = ""
) -> AssertionError:
    """Return the error that says what came instead of an event.

    Args:
        came: the other events.
        wanted: the class that was looked for.
        otherwise: shown besides the events.
        ended: why nothing more is going to come.
    """
    shown = "".join(
        f"\n  event {each.event!r} to {each.recipient} {each.recipient_id!r}: {each.payload}" for each in came
    )
    if otherwise is not None:
        shown += f"\n  problem {otherwise}"
    end = f"\n{ended}" if ended else ""
    return AssertionError(f"No event {wanted.event_name!r} came, but:{shown or ' nothing'}{end}")
