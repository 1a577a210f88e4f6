import logging
from collections import Counter
from collections.abc import Iterable

import pytest

from wsproto_core import room, user
from wsproto_core.encoding import EncodedEvent
from wsproto_core.ids import new_id
from wsproto_core.publications import (
    Disconnection,
    PresenceChange,
    Publication,
    numbered,
    write_disconnection,
    write_presence_change,
    write_publication,
)
from wsproto_core.reception import Reception


class Ears:
    """Writes down all that it hears."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.heard: list[object] = []
        self.gaps: list[list[str] | None] = []
        self.reception = Reception(lambda what: self.counters.update([what]))
        self.reception.ears = self

    def publication(self, publication: Publication) -> None:
        self.heard.append(publication.event)

    def disconnection(self, asked: Disconnection) -> None:
        self.heard.append(asked.code)

    def presence(self, change: PresenceChange) -> None:
        self.heard.append(change.topic)

    def gap(self, channels: Iterable[str] | None) -> None:
        self.gaps.append(None if channels is None else list(channels))


@pytest.fixture
def ears() -> Ears:
    return Ears()


def said(name: str = "said", origin: str = "another", number: int | None = None) -> bytes:
    message = write_publication(EncodedEvent(new_id(), name, "{}"), origin, [room("a")])
    return message if number is None else numbered(message, number)


def test_each_kind_of_message_goes_to_who_takes_it(ears: Ears) -> None:
    ears.reception("room/a", said())
    ears.reception("user/7", write_disconnection("another", [user(7)], 4000, ""))
    ears.reception("$presence/room/a", write_presence_change("another", "room/a", [], []))
    assert ears.heard == ["said", 4000, "room/a"]


def test_a_hub_passes_over_what_it_said_itself(ears: Ears) -> None:
    ears.reception("room/a", said("before", origin="me"))
    ears.reception.hear_as("me")
    for number in (None, 1, 10**12):
        ears.reception("room/a", said(origin="me", number=number))
    ears.reception("room/a", said("other", origin="me too"))
    assert ears.heard == ["before", "other"]


def test_a_malformed_message_is_counted_and_the_next_one_heard(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(100):
        ears.reception("room/a", b"\x00poison")
    ears.reception.malformed("its signature is wrong")
    ears.reception("room/a", said())
    assert ears.heard == ["said"]
    assert ears.counters == {"malformed_publications": 101}
    assert len(caplog.records) == 10, "a flood of messages is no flood of the log"
    assert "room/a" in caplog.records[0].getMessage()


def test_what_comes_twice_is_heard_once_and_only_so_much_is_remembered(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.reception._REMEMBERED", 2)
    messages = [said(str(number)) for number in range(3)]
    for message in [*messages, messages[2], messages[0]]:
        ears.reception("room/a", message)
    assert ears.heard == ["0", "1", "2", "0"]


def test_a_hole_in_the_numbers_is_a_gap_of_that_channel(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 2, 4):
        ears.reception("room/a", said(number=number))
    ears.reception("room/b", said(number=9))
    assert ears.heard == ["said"] * 4
    assert ears.gaps == [["room/a"]]
    assert ears.counters == {"gaps": 1}
    assert caplog.records[-1].getMessage() == "events of other processes may have been missed on 'room/a'"


def test_the_engine_tells_of_a_gap_and_the_numbers_begin_anew(ears: Ears) -> None:
    for channel in ("room/a", "room/b"):
        ears.reception(channel, said(number=1))
    ears.reception.gap(iter(["room/a"]))
    ears.reception("room/a", said(number=5))
    assert ears.gaps == [["room/a"]]
    ears.reception.gap()
    ears.reception("room/b", said(number=5))
    ears.reception("room/a", said(number=9))
    assert ears.gaps == [["room/a"], None]
    ears.reception.forget("room/a")
    ears.reception("room/a", said(number=20))
    assert ears.counters == {"gaps": 2}


def test_gaps_do_not_flood_the_log(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 200, 2):
        ears.reception("room/a", said(number=number))
    assert ears.counters == {"gaps": 99}
    assert len(caplog.records) == 10


def test_while_nobody_takes_anything_nothing_happens() -> None:
    counters: Counter[str] = Counter()
    reception = Reception(lambda what: counters.update([what]))
    reception("room/a", said())
    reception.gap()
    assert counters == {"gaps": 1}
