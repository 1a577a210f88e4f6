import pytest

from wsproto_core.continuity import Continuity, Numbering


def test_each_topic_is_numbered_from_one() -> None:
    numbering = Numbering()
    assert [numbering.next("a"), numbering.next("a"), numbering.next("b"), numbering.next("a")] == [1, 2, 1, 3]


def test_a_topic_that_was_long_not_used_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_core.continuity._TOPICS", 2)
    numbering = Numbering()
    assert [numbering.next(topic) for topic in "abacab"] == [1, 1, 2, 1, 3, 1]


def gaps(numbers: list[int]) -> list[int]:
    continuity = Continuity()
    return [number for number in numbers if continuity.hear("t", "h", number)]


@pytest.mark.parametrize(
    ("numbers", "after"),
    [
        ([1, 2, 3], []),
        ([7, 8, 9], []),
        ([1, 3, 4], [3]),
        ([1, 2, 9, 10, 12], [9, 12]),
        ([1, 1, 2], []),
        ([5, 6, 1, 2, 4], [4]),
        ([4, 6, 5, 7], [6]),
    ],
    ids=["whole", "from the middle", "a hole", "holes", "twice", "begun anew", "late"],
)
def test_a_hole_is_noticed_once(numbers: list[int], after: list[int]) -> None:
    assert gaps(numbers) == after


def test_topics_and_speakers_are_apart() -> None:
    continuity = Continuity()
    continuity.hear("t", "h", 1)
    assert not continuity.hear("t", "i", 5)
    assert not continuity.hear("u", "h", 5)
    assert continuity.hear("t", "h", 3)


def test_what_was_forgotten_begins_anew() -> None:
    continuity = Continuity()
    for topic in "tu":
        continuity.hear(topic, "h", 1)
    continuity.forget("t")
    continuity.forget("never heard of")
    assert not continuity.hear("t", "h", 5)
    assert continuity.hear("u", "h", 5)
    continuity.forget()
    assert not continuity.hear("u", "h", 9)


def test_all_but_some_may_be_forgotten() -> None:
    continuity = Continuity()
    for topic in "tuv":
        continuity.hear(topic, "h", 1)
    continuity.forget_others({"u", "w"})
    assert not continuity.hear("t", "h", 5)
    assert not continuity.hear("v", "h", 5)
    assert continuity.hear("u", "h", 5)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_core.continuity._TOPICS", 2)
    monkeypatch.setattr("wsproto_core.continuity._SPEAKERS", 2)
    continuity = Continuity()
    for topic in "abac":
        continuity.hear(topic, "h", 1)
    for speaker in "ihj":
        continuity.hear("a", speaker, 1)
    assert not continuity.hear("a", "i", 5), "the one that spoke longest ago is forgotten"
    assert not continuity.hear("b", "h", 5), "so is the topic"
    assert continuity.hear("a", "j", 5)
