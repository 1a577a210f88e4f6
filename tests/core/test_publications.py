import itertools
import json
from typing import Any

import pytest

from wsproto_core import connection, everyone, room, user
from wsproto_core.encoding import EncodedEvent
from wsproto_core.publications import (
    Disconnection,
    PresenceChange,
    Publication,
    numbered,
    origin_mark,
    read_publication,
    write_disconnection,
    write_presence_change,
    write_publication,
)

ID = "123e4567-e89b-42d3-a456-426614174000"
SAID = EncodedEvent(ID, "chat.said", '{"text":"hi"}')


def message(**members: Any) -> bytes:
    document = {"v": 1, "origin": "h1", "id": ID, "event": "x", "to": [["room", "lobby"]], "payload": {}, **members}
    return json.dumps(document).encode()


def test_what_is_written_is_read() -> None:
    written = write_publication(SAID, "h1", [room('"a/b"'), everyone()], {"c2", "c1"})
    assert json.loads(written)["exclude"] == ["c1", "c2"]
    assert read_publication(written) == Publication(
        origin="h1",
        id=ID,
        event="chat.said",
        payload='{"text":"hi"}',
        audiences=(room('"a/b"'), everyone()),
        exclude=frozenset({"c1", "c2"}),
    )


def test_the_key_of_an_event_travels_with_it() -> None:
    heard = read_publication(write_publication(EncodedEvent(ID, "price", "{}", 'a"b'), "h1", [room("a")]))
    assert isinstance(heard, Publication)
    assert heard.key == 'a"b'


def test_what_can_be_left_out_may_be_left_out() -> None:
    document = {"v": 1, "id": ID, "event": "x", "to": [["room", "lobby"]], "payload": {}}
    heard = read_publication(json.dumps(document).encode())
    assert heard == Publication(origin="", id=ID, event="x", payload="{}", audiences=(room("lobby"),))


@pytest.mark.parametrize(
    "written",
    [
        write_publication(SAID, "h1", [room("a")]),
        write_disconnection("h1", [room("a")], 1000, ""),
        write_presence_change("h1", "room/a", [], []),
    ],
    ids=["event", "disconnect", "presence"],
)
def test_a_message_gets_its_number_and_shows_whose_it_is(written: bytes) -> None:
    assert read_publication(written).number is None
    assert read_publication(numbered(written, 17)).number == 17
    assert 0 < numbered(written, 10**9).find(origin_mark("h1")) < 40
    assert origin_mark("h") not in written


def test_a_disconnect_is_read() -> None:
    written = write_disconnection("h1", [user(42), connection("c1")], 4000, 'say "bye"', ["c2"])
    heard = read_publication(written)
    assert isinstance(heard, Disconnection)
    assert (heard.audiences, heard.exclude) == ((user(42), connection("c1")), frozenset({"c2"}))
    assert (heard.code, heard.reason) == (4000, 'say "bye"')


def test_a_change_of_presence_is_read() -> None:
    heard = read_publication(write_presence_change("h1", "room/a", [("p1", "r1", 42)], [("p1", "r2", "ann")]))
    assert isinstance(heard, PresenceChange)
    assert (heard.topic, heard.joins, heard.leaves) == ("room/a", (("p1", "r1", 42),), (("p1", "r2", "ann"),))


@pytest.mark.parametrize(
    "poison",
    [
        *(b"", b"\xff\xfe", b"null", b"[]", b"{}", b'"x"', b"[" * 100_000, message()[:-1], message() + b"x"),
        *(
            message(**{name: value})
            for name in ("v", "origin", "id", "event", "to", "exclude", "payload")
            for value in (None, 1.5)
        ),
        *(message(v=2), message(v=True), message(v="1")),
        *(message(id="1"), message(id=f'{ID}","x":"')),
        message(event=""),
        *(message(to="room"), message(to=[["room"]]), message(to=[["room", "a", "b"]]), message(to=[["room", 1]])),
        *(message(to=[["room", ""]]), message(to=[["topic", "user/42"]]), message(to=[["topic", "#"]])),
        *(message(exclude=[1]), message(exclude="c1"), message(payload=[]), message(payload="{}")),
        *(message(payload={"a": float("nan")}), message(payload={"a": [float("-inf")]})),
        message(payload={"a": 0}).replace(b'"a": 0', b'"a": 1e400'),
        message(payload={"a": "\ud800"}),
        *(message(event=None, payload=None), message(disconnect={"code": 1000}), message(presence={"topic": "a"})),
        *(message(event=None), message(payload=None), message(n=0), message(n=True), message(key=1)),
        *(
            message(event=None, payload=None, disconnect=disconnect)
            for disconnect in ({}, {"code": 1005}, {"code": "1000"}, {"code": 1000, "reason": 1}, 1000)
        ),
        *(
            message(event=None, payload=None, presence=presence)
            for presence in ({}, {"topic": "a", "joins": [["p"]]}, {"topic": "a", "leaves": [["p", "r", 1.5]]}, [])
        ),
    ],
    ids=itertools.count(),
)
def test_poison_from_the_engine_is_no_publication(poison: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_publication(poison)


def test_the_version_is_named_when_it_is_not_known() -> None:
    with pytest.raises(ValueError, match="version 2 is not known"):
        read_publication(message(v=2))
