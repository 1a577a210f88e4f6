"""One event loop in a thread of its own, for code that has none."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from tests.interpreter import run_python
from wsproto_core.blocking import LoopThread, loop_thread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.stop()


async def where() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    return asyncio.get_running_loop(), threading.current_thread()


def test_it_starts_when_it_is_first_needed_and_once(thread: LoopThread) -> None:
    assert not thread.is_running
    loop, runner = thread.run(where())
    assert thread.is_running
    assert loop is thread.loop
    assert runner.daemon
    assert runner.name == "wsproto-loop"
    assert thread.run(where()) == (loop, runner)


def test_many_threads_that_need_it_at_once_share_it(thread: LoopThread) -> None:
    together = threading.Barrier(10)
    loops = []

    def ask() -> None:
        together.wait()
        loops.append(thread.loop)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(loops) == {thread.loop}


def test_who_waits_for_the_lock_finds_it_started(thread: LoopThread) -> None:
    with thread._lock:
        late = threading.Thread(target=lambda: thread.loop)
        late.start()
        loop = thread._loop = thread._start()
    late.join()
    assert thread.loop is loop


def test_what_the_work_raises_comes_back(thread: LoopThread) -> None:
    async def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        thread.run(fail())


def test_its_own_thread_cannot_wait_for_itself(thread: LoopThread) -> None:
    async def wait_for_itself() -> None:
        thread.run(where())

    with pytest.raises(RuntimeError, match="await the coroutine instead"):
        thread.run(wait_for_itself())


def test_after_a_stop_it_starts_anew(thread: LoopThread) -> None:
    first = thread.loop
    thread.stop()
    assert first.is_closed()
    assert not thread.is_running
    thread.stop()
    assert thread.run(where())[0] is not first


def test_what_it_forgets_is_left_to_whoever_has_it(thread: LoopThread) -> None:
    loop, runner = thread.run(where())
    with thread._lock:
        thread.forget()
        assert not thread.is_running
        assert thread.run(where())[0] is not loop
    assert loop.is_running()
    loop.call_soon_threadsafe(loop.stop)
    runner.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_its_own() -> None:
    code = """
import asyncio, os, warnings
from wsproto_core.blocking import loop_thread

async def process():
    return os.getpid()

assert loop_thread.run(process()) == os.getpid()
with loop_thread._lock:
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if child == 0:
        assert not loop_thread.is_running
        os._exit(0 if loop_thread.run(process()) == os.getpid() else 1)
assert os.waitpid(child, 0)[1] == 0
print("both")
"""
    assert run_python(code) == "both"


def test_the_process_has_one() -> None:
    assert isinstance(loop_thread, LoopThread)
