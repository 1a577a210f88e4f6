from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import Limits
from wsproto_core.queues import NO_ROOM, FrameQueue, Offered, queue_for

POLICIES: list[Any] = ["close", "drop_oldest", "conflate"]


def queue_of(policy: Any, messages: int = 3, size: int = 100) -> FrameQueue:
    return queue_for(Limits(slow_consumer=policy, outbox_messages=messages, outbox_bytes=size))


def drained(queue: FrameQueue) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


@pytest.mark.parametrize("policy", POLICIES)
def test_frames_come_out_as_they_went_in(policy: str) -> None:
    queue = queue_of(policy)
    queue.put("a", 1)
    assert queue.offer("b", 2, None) == Offered(queued=True)
    assert queue.offer("c", 3, "k") == Offered(queued=True)
    assert (len(queue), queue.bytes) == (3, 6)
    assert drained(queue) == ["a", "b", "c"]
    assert (len(queue), queue.bytes) == (0, 0)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_empty_one_takes_any_one_event(policy: str) -> None:
    queue = queue_of(policy)
    assert queue.offer("large", 1_000, None).queued
    assert queue.is_over()


@pytest.mark.parametrize("policy", POLICIES)
def test_answers_are_never_lost(policy: str) -> None:
    queue = queue_of(policy)
    for each in range(5):
        assert queue.is_over() is (each > 3)
        queue.put(f"answer {each}", 1)
    for each in range(5):
        queue.offer(f"event {each}", 1, None)
    assert [each for each in drained(queue) if "answer" in each] == [f"answer {each}" for each in range(5)]


@pytest.mark.parametrize("policy", POLICIES)
def test_answers_take_no_room_from_events(policy: str) -> None:
    queue = queue_of(policy)
    queue.put("a long answer", 1_000)
    queue.put("the next part of it", 1_000)
    assert [queue.offer(f"event {each}", 30, None) for each in range(3)] == [Offered(queued=True)] * 3
    assert queue.events == 3
    assert queue.offer("one too many", 30, None) != Offered(queued=True)
    assert drained(queue)[:2] == ["a long answer", "the next part of it"]
    assert (queue.events, queue.bytes) == (0, 0)
    assert queue.offer("event", 1_000, None) == Offered(queued=True)


@pytest.mark.parametrize("size", [40, 1])
def test_close_has_no_room_for_what_is_too_much(size: int) -> None:
    queue = queue_of("close", messages=2 if size == 1 else 9)
    for each in "ab":
        assert queue.offer(each, size, "k").queued
    assert queue.offer("c", size, "k") is NO_ROOM
    assert drained(queue) == ["a", "b"]


def test_drop_oldest_loses_the_events_that_wait_longest() -> None:
    queue = queue_of("drop_oldest")
    queue.put("answer", 1)
    assert [queue.offer(each, 1, None).lost for each in "abcde"] == [0, 0, 0, 1, 1]
    assert drained(queue) == ["answer", "c", "d", "e"]


def test_drop_oldest_makes_room_for_as_many_bytes_as_it_takes() -> None:
    queue = queue_of("drop_oldest", messages=10)
    for each in "abc":
        queue.offer(each, 30, None)
    assert queue.offer("large", 70, None) == Offered(queued=True, lost=2)
    assert (queue.bytes, drained(queue)) == (100, ["c", "large"])


def test_what_is_written_is_not_lost_any_more() -> None:
    queue = queue_of("drop_oldest", messages=2)
    queue.offer("a", 1, None)
    queue.offer("b", 1, None)
    assert queue.take() == "a"
    assert queue.offer("c", 1, None).lost == 0
    assert queue.offer("d", 1, None).lost == 1
    assert drained(queue) == ["c", "d"]


def test_conflate_keeps_the_newest_of_each_key_when_there_is_no_room() -> None:
    queue = queue_of("conflate", messages=4)
    queue.put("answer", 1)
    lost = [queue.offer(f"{key}{number}", 1, key).lost for number in range(4) for key in "ab"]
    # Full with a0, b0, a1 and b1: the older two go. Then again.
    assert lost == [0, 0, 0, 0, 2, 0, 2, 0]
    assert drained(queue) == ["answer", "a2", "b2", "a3", "b3"]
    assert (queue._older, queue._newest) == (0, {})


def test_conflate_loses_nothing_while_there_is_room() -> None:
    queue = queue_of("conflate", messages=10)
    for number in range(10):
        assert queue.offer(f"{number}", 1, "k") == Offered(queued=True)
    assert drained(queue) == [f"{number}" for number in range(10)]
    assert queue.offer("next", 1, "k").lost == 0


def test_conflate_has_no_room_for_too_many_keys_or_none() -> None:
    queue = queue_of("conflate")
    for key in "abc":
        assert queue.offer(key, 1, key).queued
    assert queue.offer("d", 1, "d") is NO_ROOM
    assert queue.offer("no key", 1, None) is NO_ROOM
    for number in range(3):
        assert queue.offer(f"c{number}", 1, "c") == Offered(queued=True, lost=1)
    assert drained(queue) == ["a", "b", "c2"]


def test_conflate_makes_room_in_bytes_too() -> None:
    queue = queue_of("conflate", messages=10)
    for number in range(3):
        queue.offer(f"{number}", 30, "k")
    assert queue.offer("large", 80, "k") == Offered(queued=True, lost=3)
    assert drained(queue) == ["large"]


def test_what_is_taken_is_not_older_any_more() -> None:
    queue = queue_of("conflate", messages=4)
    for number in range(3):
        queue.offer(f"{number}", 1, "k")
    assert (queue.take(), queue._older) == ("0", 1)
    assert (queue.take(), queue._older) == ("1", 0)
    assert (queue.take(), queue._newest) == ("2", {})


@pytest.mark.parametrize("policy", ["drop_oldest", "conflate"])
def test_what_is_lost_takes_no_memory(policy: str) -> None:
    queue = queue_of(policy, messages=5)
    queue.put("an answer that is never written", 1)
    for each in range(10_000):
        assert queue.offer(f"event {each}", 1, "k" if policy == "conflate" else None).queued
    assert len(queue._entries) < 50
    assert drained(queue)[-1] == "event 9999"


@given(st.sampled_from(POLICIES), st.lists(st.sampled_from(["put", "take", "a", "b", "none"])))
def test_counts_hold_and_order_is_kept(policy: str, steps: list[str]) -> None:
    queue = queue_of(policy, messages=4)
    waiting = taken = lost = 0
    for number, step in enumerate(steps):
        if step == "put":
            queue.put(number, 1)
            waiting += 1
        elif step != "take":
            offered = queue.offer(number, 1, None if step == "none" else step)
            waiting += offered.queued - offered.lost
            lost += offered.lost
            if offered is NO_ROOM:
                break
        elif waiting:
            newest = queue.take()
            assert newest >= taken
            taken = newest
            waiting -= 1
        assert policy == "conflate" or len(queue) == waiting
        assert queue.bytes == len(queue)
    rest = drained(queue)
    assert rest == sorted(rest)
    assert lost == 0 or policy != "close"
