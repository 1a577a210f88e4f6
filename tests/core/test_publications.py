import json
from typing import Any

import pytest

from wsproto_core import Audience, connection, everyone, room, topic, user
from wsproto_core.encoding import EncodedEvent
from wsproto_core.publications import Publication, channel_of, read_publication, write_publication

ID = "123e4567-e89b-42d3-a456-426614174000"
SAID = EncodedEvent(ID, "chat.said", '{"text":"hi"}')


def message(**members: Any) -> bytes:
    document = {"v": 1, "origin": "h1", "id": ID, "event": "x", "to": [["room", "lobby"]], "payload": {}, **members}
    return json.dumps(document).encode()


def test_what_is_written_is_read() -> None:
    written = write_publication(SAID, "h1", [room('"a/b"'), everyone()], {"c2", "c1"})
    assert json.loads(written)["exclude"] == ["c1", "c2"]
    assert read_publication(written) == Publication(
        "h1", ID, "chat.said", '{"text":"hi"}', (room('"a/b"'), everyone()), frozenset({"c1", "c2"})
    )


def test_who_is_excluded_may_be_left_out() -> None:
    assert read_publication(message()).exclude == frozenset()


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
    ],
    ids=range(44),
)
def test_poison_from_the_engine_is_no_publication(poison: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_publication(poison)


def test_the_version_is_named_when_it_is_not_known() -> None:
    with pytest.raises(ValueError, match="version 2 is not known"):
        read_publication(message(v=2))


@pytest.mark.parametrize(
    ("audience", "channel"),
    [
        (room("a/b"), "room/a%2Fb"),
        (user(42), "user/42"),
        (topic("sport/tennis"), "sport/tennis"),
        (connection("c/1"), "connection/c%2F1"),
        (everyone(), "everyone/*"),
        (Audience("session", "17"), "session/17"),
    ],
)
def test_every_audience_has_a_channel(audience: Audience, channel: str) -> None:
    assert channel_of(audience) == channel


def test_the_channel_of_a_connection_cannot_be_taken_by_a_topic() -> None:
    with pytest.raises(ValueError, match="reserved"):
        topic(channel_of(connection("c1")))
