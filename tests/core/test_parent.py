import asyncio
import multiprocessing
import sys

import pytest

from tests.core.peer import hub_of, until
from wsproto_core.parent import ParentWatch


class Event:
    """As much of an event of multiprocessing as is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.happened = False

    def is_set(self) -> bool:
        self.asked += 1
        return self.happened


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch) -> Event:
    """What this process would have been started with by hypercorn."""
    event = Event()
    monkeypatch.setattr(multiprocessing.current_process(), "_kwargs", {"shutdown_event": event}, raising=False)
    monkeypatch.setattr("wsproto_core.parent._INTERVAL", 0.001)
    return event


async def test_it_drains_once_when_the_parent_says_so(event: Event) -> None:
    drained = 0

    async def drain() -> None:
        nonlocal drained
        drained += 1

    watch = ParentWatch.follow(drain, asyncio.get_running_loop())
    assert watch is not None
    await until(lambda: event.asked > 2)
    assert drained == 0
    event.happened = True
    await until(lambda: drained)
    asked = event.asked
    await asyncio.sleep(0.005)  # nothing may happen in it
    assert (drained, event.asked) == (1, asked)


async def test_it_looks_no_more_when_it_is_stopped(event: Event) -> None:
    async def drain() -> None:
        raise AssertionError("stopped")

    watch = ParentWatch.follow(drain, asyncio.get_running_loop())
    assert watch is not None
    watch.stop()
    event.happened = True
    await asyncio.sleep(0.005)  # nothing may happen in it
    assert event.asked == 0


async def test_a_drain_that_fails_is_logged(event: Event, caplog: pytest.LogCaptureFixture) -> None:
    async def drain() -> None:
        raise ValueError("the drain is clogged")

    event.happened = True
    ParentWatch.follow(drain, asyncio.get_running_loop())
    await until(lambda: "the drain is clogged" in caplog.text)


@pytest.mark.parametrize("arguments", [{}, {"shutdown_event": None}])
async def test_other_parents_are_not_watched(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object]) -> None:
    async def drain() -> None:
        raise AssertionError("nobody asked")

    monkeypatch.setattr(multiprocessing.current_process(), "_kwargs", arguments, raising=False)
    assert ParentWatch.follow(drain, asyncio.get_running_loop()) is None


async def test_without_multiprocessing_there_is_no_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain() -> None:
        raise AssertionError("nobody asked")

    monkeypatch.delitem(sys.modules, "multiprocessing.process")
    assert ParentWatch.follow(drain, asyncio.get_running_loop()) is None


async def test_a_hub_follows_its_parent_until_it_stops(event: Event) -> None:
    hub = hub_of()
    hub.install_signal_handlers()
    await until(lambda: event.asked > 2)
    event.happened = True
    await until(lambda: hub.draining)
    await hub.stop()
    hub.start()
    hub.install_signal_handlers()
    await hub.stop()
    asked = event.asked
    await asyncio.sleep(0.005)  # nothing may happen in it
    assert event.asked == asked
