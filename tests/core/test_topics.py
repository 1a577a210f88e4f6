from enum import Enum, IntEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import InvalidTopicError
from wsproto_core.topics import (
    MAX_TOPIC_BYTES,
    MAX_TOPIC_LEVELS,
    RESERVED_LEVELS,
    check_filter,
    check_topic,
    escape_level,
    has_wildcards,
    name_text,
    unescape_level,
)


class Colour(str, Enum):  # noqa: UP042 - its str() is not its value, unlike that of a StrEnum
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Mixed(int, Enum):
    TWO = 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lobby", "lobby"),
        (" ", " "),
        (42, "42"),
        (-1, "-1"),
        (UUID("123E4567-E89B-12D3-A456-426614174000"), "123e4567-e89b-12d3-a456-426614174000"),
        (Colour.RED, "red"),
        (Number.ONE, "1"),
        (Mixed.TWO, "2"),
    ],
)
def test_a_name_has_one_text_form(name: object, text: str) -> None:
    assert name_text(name, "A room name") == text
    assert type(name_text(name, "A room name")) is str


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "A room name must not be empty"),
        ("a\udfffb", "A room name holds a lone surrogate"),
        (True, "A room name must be a str, an int or a UUID, not bool"),
        (1.0, "not float"),
        (b"lobby", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_a_name_that_is_none_is_refused_by_what_it_is_for(name: object, message: str) -> None:
    with pytest.raises(InvalidTopicError, match=message):
        name_text(name, "A room name")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("lobby", "lobby"),
        ("łódź 🙂", "łódź 🙂"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a+b#c", "a%2Bb%23c"),
        ("$SYS", "%24SYS"),
        ("a$", "a$"),
        ("\0\n\x7f", "%00%0A%7F"),
        ("\x80\x9f\xa0", "%C2%80%C2%9F\xa0"),
        ("\x1f \x7e", "%1F \x7e"),
        ("$/", "%24%2F"),
    ],
)
def test_a_name_becomes_one_level(text: str, level: str) -> None:
    assert escape_level(text) == level
    assert unescape_level(level) == text


@given(st.text(min_size=1))
def test_any_name_becomes_one_whole_level_and_comes_back(text: str) -> None:
    level = escape_level(text)
    assert unescape_level(level) == text
    assert not set(level).intersection("/+#\0\n\x9f")
    assert not level.startswith("$")


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_never_become_one_level(one: str, other: str) -> None:
    assert (escape_level(one) == escape_level(other)) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        "sport",
        "sport/tennis/player1",
        "/",
        "a//b",
        "/user",
        "sport/$SYS",
        "users/42",
        "room ",
        "a\xa0b~",
        "ż" * 127,
        "a" * MAX_TOPIC_BYTES,
        "/".join("a" * MAX_TOPIC_LEVELS),
    ],
)
def test_a_topic_may_be_published_to(name: str) -> None:
    assert check_topic(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "non-empty string"),
        (42, "non-empty string"),
        (None, "non-empty string"),
        ("a\ud800", "lone surrogates"),
        ("a" * (MAX_TOPIC_BYTES + 1), "at most 255 bytes of UTF-8; this one has 256"),
        ("ż" * 128, "this one has 256"),
        ("/".join("a" * (MAX_TOPIC_LEVELS + 1)), "at most 16 levels; this one has 17"),
        ("sport/+", "no wildcards"),
        ("sport/#", "no wildcards"),
        ("sport/a+b", "no wildcards"),
        ("a\0b", "no control characters"),
        ("a\x7f", "no control characters"),
        ("a\x9f", "no control characters"),
        ("a\x1f", "no control characters"),
        ("$SYS/uptime", "kept for the server"),
        *((level, f"'{level}' is reserved") for level in sorted(RESERVED_LEVELS)),
        *((f"{level}/42", f"'{level}' is reserved") for level in sorted(RESERVED_LEVELS)),
    ],
)
def test_a_topic_that_is_none_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(InvalidTopicError, match=message):
        check_topic(name)


@pytest.mark.parametrize("name", ["a", "a/b", "+", "#", "a/#", "+/a/+", "/", "a//#", "/+", "sport/+/score/#"])
def test_what_is_a_filter(name: str) -> None:
    assert check_filter(name) == name
    assert has_wildcards(name) is ("+" in name or "#" in name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "A topic filter must be a non-empty string"),
        (5, "must be a non-empty string"),
        ("sp#", "# stands alone in the last level, as in 'sport/#'"),
        ("a/#/b", "# stands alone in the last level"),
        ("##", "# stands alone"),
        ("a+", r"\+ stands for one whole level"),
        ("a/+b/c", r"\+ stands for one whole level"),
        ("$SYS/#", "kept for the server"),
        ("room/+", "The first level 'room' is reserved"),
        ("/".join("+" * (MAX_TOPIC_LEVELS + 1)), "A topic filter has at most 16 levels; this one has 17"),
        ("/" * 10_000, "at most 255 bytes"),
        ("a\n/#", "has no control characters"),
        ("\ud800/#", "must be valid Unicode"),
    ],
)
def test_what_is_no_filter_says_why(name: str, message: str) -> None:
    with pytest.raises(InvalidTopicError, match=message):
        check_filter(name)


def test_a_topic_of_ten_thousand_levels_is_refused() -> None:
    for check in (check_topic, check_filter):
        with pytest.raises(InvalidTopicError):
            check("/".join("a" * 10_000))
