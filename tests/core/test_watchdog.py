"""Noticing work in threads that takes long, without waking the loop where there is none."""

import asyncio
import gc
import weakref

import pytest

from tests.core.peer import until
from wsproto_core import watchdog as module
from wsproto_core.watchdog import Watchdog, watchdog_of


class Worker:
    """Counts how often it was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> None:
        self.looks += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)


async def test_it_looks_again_and_again_until_the_work_is_done() -> None:
    watchdog, worker = Watchdog(asyncio.get_running_loop()), Worker()
    assert not watchdog.looking
    await asyncio.to_thread(watchdog.begin, worker)
    assert watchdog.looking
    await until(lambda: worker.looks >= 3)
    watchdog.end(worker)
    await until(lambda: not watchdog.looking)
    looks = worker.looks
    watchdog.begin(worker)
    await until(lambda: worker.looks > looks)
    watchdog.end(worker)
    watchdog.end(worker)


async def test_two_who_begin_at_once_start_it_once() -> None:
    watchdog, worker = Watchdog(asyncio.get_running_loop()), Worker()
    watchdog.looking = True
    assert not watchdog._start()
    watchdog.begin(worker)
    await asyncio.sleep(0)
    assert worker.looks == 0


async def test_one_who_loses_the_race_leaves_it_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog, worker = Watchdog(asyncio.get_running_loop()), Worker()
    monkeypatch.setattr(watchdog, "_start", lambda: False)
    watchdog.begin(worker)
    await asyncio.sleep(0)
    assert worker.looks == 0


async def test_work_that_begins_while_it_stops_is_seen() -> None:
    watchdog, late = Watchdog(asyncio.get_running_loop()), Worker()

    class Busy(set[Worker]):
        """Somebody begins between the last look and the end of looking."""

        def __bool__(self) -> bool:
            self.add(late)
            return True

    watchdog.looking = True
    watchdog._quiet = module._QUIET - 1
    watchdog._busy = Busy()  # type: ignore[assignment]
    watchdog._look()
    assert watchdog.looking
    await until(lambda: late.looks)


async def test_a_loop_has_one_as_long_as_it_lives() -> None:
    assert watchdog_of(asyncio.get_running_loop()) is watchdog_of(asyncio.get_running_loop())


def test_a_loop_that_is_gone_leaves_none_behind() -> None:
    async def ask() -> weakref.ref[Watchdog]:
        return weakref.ref(watchdog_of(asyncio.get_running_loop()))

    with asyncio.Runner() as runner:
        watchdog = runner.run(ask())
        assert watchdog() is not None
    del runner
    gc.collect()
    assert watchdog() is None
