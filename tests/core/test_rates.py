import pytest

from wsproto_core.rates import TokenBucket


def taken(bucket: TokenBucket, now: float, times: int) -> list[float]:
    return [bucket.take(now) for _ in range(times)]


def test_so_many_come_at_once_and_then_so_many_a_second() -> None:
    bucket = TokenBucket((10, 3), 100.0)
    assert taken(bucket, 100.0, 4) == [0, 0, 0, pytest.approx(0.1)]
    assert taken(bucket, 100.1, 2) == [0, pytest.approx(0.1)]
    assert taken(bucket, 1_000.0, 4) == [0, 0, 0, pytest.approx(0.1)]


def test_waiting_for_as_long_as_it_says_is_enough() -> None:
    bucket = TokenBucket((3, 1), 0.0)
    now = 0.0
    for _ in range(20):
        assert bucket.take(now) == 0
        wait = bucket.take(now)
        assert wait > 0
        now += wait + 1e-9


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (5, 5), (2.5, 3)])
def test_without_a_burst_as_many_come_at_once_as_in_a_second(rate: float, burst: int) -> None:
    bucket = TokenBucket(rate, 0.0)
    assert [wait == 0 for wait in taken(bucket, 0.0, burst + 1)] == [True] * burst + [False]
