import pytest

from wsproto_core.copies import Copies


def test_the_first_copy_counts_whichever_way_it_came() -> None:
    copies = Copies()
    came = [(b"1", "a"), (b"1", "b"), (b"2", "b"), (b"1", "c"), (b"2", "a")]
    assert [copies.is_first("t", message, way) for message, way in came] == [True, False, True, False, False]


def test_what_comes_again_by_the_same_way_was_said_again() -> None:
    copies = Copies()
    assert [copies.is_first("t", b"1", way) for way in "aabab"] == [True, True, False, True, False]


def test_topics_are_apart() -> None:
    copies = Copies()
    assert copies.is_first("t", b"1", "a")
    assert copies.is_first("u", b"1", "b")


def test_what_came_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_core.copies._REMEMBERED", 2)
    copies = Copies()
    assert [copies.is_first("t", message, "a") for message in (b"1", b"2", b"3")] == [True] * 3
    assert copies.is_first("t", b"1", "b")
    assert not copies.is_first("t", b"3", "b")
