from dataclasses import FrozenInstanceError
from uuid import UUID

import pytest

from wsproto_core import Audience, InvalidTopicError, TopicFilter, connection, everyone, room, topic, user
from wsproto_core.recipients import parse_subscription, topic_or_filter

UUID_TEXT = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    ("audience", "kind", "recipient_id", "topic_name"),
    [
        (connection("c1"), "websocket", "c1", None),
        (user(42), "user", "42", "user/42"),
        (user(UUID(UUID_TEXT)), "user", UUID_TEXT, f"user/{UUID_TEXT}"),
        (room("a/b"), "room", "a/b", "room/a%2Fb"),
        (room("$SYS"), "room", "$SYS", "room/%24SYS"),
        (topic("sport/tennis"), "topic", "sport/tennis", "sport/tennis"),
        (everyone(), "everyone", "*", None),
        (Audience("session", "17"), "session", "17", None),
    ],
)
def test_an_audience_names_a_recipient_and_perhaps_a_topic(
    audience: Audience, kind: str, recipient_id: str, topic_name: str | None
) -> None:
    assert (audience.kind, audience.id, audience.topic) == (kind, recipient_id, topic_name)


def test_an_id_and_its_text_are_one_audience() -> None:
    assert {user(42), user("42")} == {Audience("user", "42")}
    assert room(UUID(UUID_TEXT)) == room(UUID_TEXT)


@pytest.mark.parametrize("name", ["user/42", "connection/c1", "room/lobby", "everyone", "$SYS", "sport/#", "", 42])
def test_neither_function_nor_class_makes_a_topic_of_what_is_none(name: str) -> None:
    with pytest.raises(InvalidTopicError):
        topic(name)
    with pytest.raises(InvalidTopicError):
        Audience("topic", name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: user(""), "A user id must not be empty"),
        (lambda: user(True), "A user id must be a str, an int or a UUID, not bool"),
        (lambda: user(None), "A user id must be a str, an int or a UUID, not NoneType"),
        (lambda: room(""), "A room name must not be empty"),
        (lambda: room(1.5), "A room name must be"),
        (lambda: connection(""), "The id of a 'websocket' audience must not be empty"),
        (lambda: Audience("", "17"), "The kind of an audience must not be empty"),
        (lambda: Audience("session", "\ud800"), "The id of a 'session' audience holds a lone surrogate"),
    ],
)
def test_an_audience_without_a_name_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidTopicError, match=message):
        make()


def test_an_audience_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        room("lobby").id = "attic"


def test_an_audience_says_its_levels() -> None:
    assert room("a/b").levels == ("room", "a%2Fb")
    assert topic("sport/tennis").levels == ("sport", "tennis")
    assert TopicFilter("sport/+/#").levels == ("sport", "+", "#")
    assert connection("c").levels == everyone().levels == ()


def test_a_filter_is_of_the_kind_topic() -> None:
    one = TopicFilter("sport/#")
    assert (one.kind, one.id, one.topic) == ("topic", "sport/#", "sport/#")
    assert one == TopicFilter("sport/#") != TopicFilter("sport/+")
    with pytest.raises(InvalidTopicError):
        TopicFilter("sp#")


def test_what_a_client_names_is_a_room_a_topic_or_a_filter() -> None:
    assert parse_subscription("room/lobby") == room("lobby")
    assert parse_subscription("room/a%2Fb") == room("a/b")
    assert parse_subscription("room/%2523") == room("%23")
    assert parse_subscription("rooms/x") == topic_or_filter("rooms/x") == topic("rooms/x")
    assert parse_subscription("a/+") == topic_or_filter("a/+") == TopicFilter("a/+")


@pytest.mark.parametrize("name", ["room", "room/", "room/a/b", "room/%", "room/%61", "room/+", "user/1", ""])
def test_what_has_another_name_or_none_is_not_guessed(name: str) -> None:
    with pytest.raises(InvalidTopicError):
        parse_subscription(name)
