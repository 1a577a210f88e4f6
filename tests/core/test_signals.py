"""Draining at SIGTERM and SIGINT, before whoever had those signals first."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from tests.core.peer import PATIENCE, until
from wsproto_core.blocking import loop_thread
from wsproto_core.signals import DrainSignals, LoopThreadDrainSignals


class Server:
    """The handlers of a server, and what they were called with."""

    def __init__(self) -> None:
        self.called: list[tuple[int, bool]] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.called.append((number, frame is not None))


class Drain:
    """A drain that ends when it is let."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = asyncio.Event()
        self.error: BaseException | None = None

    async def __call__(self) -> None:
        self.begun += 1
        await self.end.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that has taken both signals; the process gets its own back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}
    server = Server()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle)
    yield server
    for number, handler in before.items():
        signal.signal(number, handler)


def install(drain: Drain) -> DrainSignals:
    signals = DrainSignals.install(drain, asyncio.get_running_loop())
    assert signals is not None
    return signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_drain_comes_first_and_then_the_server(server: Server, number: int) -> None:
    drain = Drain()
    signals = install(drain)
    os.kill(os.getpid(), number)
    await until(lambda: drain.begun)
    assert server.called == []
    drain.end.set()
    await until(lambda: server.called)
    assert server.called == [(number, False)]
    assert drain.begun == 1
    signals.uninstall()


async def test_a_second_signal_goes_to_the_server_at_once_and_the_first_is_not_told_again(server: Server) -> None:
    drain = Drain()
    install(drain)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: drain.begun)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: server.called)
    assert server.called == [(signal.SIGINT, True)]
    drain.end.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (server.called, drain.begun) == ([(signal.SIGINT, True)], 1)


async def test_a_second_signal_with_a_handler_of_its_own_does_not_stand_for_the_first(server: Server) -> None:
    other = Server()
    signal.signal(signal.SIGQUIT, other.handle)
    drain = Drain()
    install(drain)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: drain.begun)
    os.kill(os.getpid(), signal.SIGQUIT)
    await until(lambda: other.called)
    drain.end.set()
    await until(lambda: server.called)
    assert server.called == [(signal.SIGINT, False)]
    assert other.called == [(signal.SIGQUIT, True)]


async def test_two_signals_at_once_drain_once(server: Server) -> None:
    drain = Drain()
    signals = install(drain)
    signals._on_signal(signal.SIGTERM, None)
    signals._on_signal(signal.SIGTERM, None)
    assert server.called == [(signal.SIGTERM, False)]
    await until(lambda: drain.begun)
    drain.end.set()
    assert drain.begun == 1


async def test_a_drain_that_fails_does_not_keep_the_server_from_stopping(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    drain = Drain()
    drain.error = ValueError("of the drain")
    drain.end.set()
    install(drain)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: server.called)
    assert "the drain failed" in caplog.text


async def test_uninstalling_gives_the_signals_back(server: Server) -> None:
    signals = install(Drain())
    assert signal.getsignal(signal.SIGTERM) == signals._on_signal
    signals.uninstall()
    assert signal.getsignal(signal.SIGTERM) == server.handle
    assert signal.getsignal(signal.SIGINT) == server.handle


async def test_uninstalling_leaves_alone_who_came_after_us(server: Server) -> None:
    signals = install(Drain())
    later = Server()
    signal.signal(signal.SIGTERM, later.handle)
    signals.uninstall()
    assert signal.getsignal(signal.SIGTERM) == later.handle
    assert signal.getsignal(signal.SIGINT) == server.handle


async def test_an_ignored_signal_stays_ignored(server: Server) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = install(Drain())
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signals.uninstall()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


async def test_a_handler_that_is_not_pythons_is_left_in_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(signal, "getsignal", lambda number: None)
        install(Drain())
    assert signal.getsignal(signal.SIGTERM) == server.handle


async def test_outside_the_main_thread_there_is_nothing_to_install(server: Server) -> None:
    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(DrainSignals.install, Drain(), loop) is None
    signals = install(Drain())
    await asyncio.to_thread(signals.uninstall)
    assert signal.getsignal(signal.SIGTERM) == signals._on_signal
    signals.uninstall()


def test_once_the_loop_is_closed_the_server_has_the_signal_at_once(server: Server) -> None:
    loop = asyncio.new_event_loop()
    signals = DrainSignals.install(Drain(), loop)
    assert signals is not None
    loop.close()
    os.kill(os.getpid(), signal.SIGTERM)
    assert [number for number, _ in server.called] == [signal.SIGTERM]
    signals.uninstall()


async def test_where_nobody_had_the_signal_it_ends_the_process(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[Any] = []
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    drain = Drain()
    drain.end.set()
    install(drain)
    os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append((arguments, signal.getsignal(signal.SIGTERM))))
    await until(lambda: killed)
    assert killed == [((os.getpid(), signal.SIGTERM), signal.SIG_DFL)]


PROGRAM = """
import asyncio, sys
from wsproto_core.signals import DrainSignals

async def drain():
    print("drained", flush=True)

async def main():
    DrainSignals.install(drain, asyncio.get_running_loop())
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_the_exit_status_says_by_which_signal_a_program_ended() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.terminate()
        assert program.stdout.readline() == "drained\n"
        assert program.wait(PATIENCE) == -signal.SIGTERM


async def test_a_signal_that_stops_nothing_by_default_is_taken_only_from_a_server_that_stops_by_it(
    server: Server,
) -> None:
    signals = install(Drain())
    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL
    signals.uninstall()
    signal.signal(signal.SIGQUIT, server.handle)
    drain = Drain()
    drain.end.set()
    signals = install(drain)
    os.kill(os.getpid(), signal.SIGQUIT)
    await until(lambda: server.called)
    assert (server.called, drain.begun) == ([(signal.SIGQUIT, False)], 1)
    signals.uninstall()


# Where connections live on the loop thread


@pytest.fixture
def running() -> Iterator[None]:
    """Has the loop thread of the process run."""
    assert loop_thread.loop.is_running()
    yield
    loop_thread.stop()


def install_threaded(
    drain: Any, has_work: bool = True, cut: Callable[[], object] = lambda: None
) -> LoopThreadDrainSignals:
    signals = LoopThreadDrainSignals.install(drain, lambda: has_work, cut)
    assert signals is not None
    return signals


async def test_the_drain_runs_on_the_loop_thread_and_the_server_is_called_in_the_main_thread(
    server: Server, running: None
) -> None:
    drained: list[Any] = []

    async def drain() -> None:
        drained.append((threading.current_thread().name, list(server.called)))

    def handle(number: int, frame: FrameType | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        server.handle(number, frame)

    signal.signal(signal.SIGTERM, handle)
    signals = install_threaded(drain)
    assert signals.is_installed()
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: server.called)
    assert drained == [("wsproto-loop", [])]
    assert server.called == [(signal.SIGTERM, True)]
    signals.uninstall()
    assert not signals.is_installed()


async def test_where_there_is_nothing_to_drain_the_server_has_the_signal_at_once(server: Server, running: None) -> None:
    drain = Drain()
    signals = install_threaded(drain, has_work=False)
    os.kill(os.getpid(), signal.SIGTERM)
    assert server.called == [(signal.SIGTERM, True)]
    assert drain.begun == 0
    signals.uninstall()


async def test_where_the_loop_thread_does_not_run_the_server_has_the_signal_at_once(server: Server) -> None:
    signals = install_threaded(Drain())
    os.kill(os.getpid(), signal.SIGTERM)
    assert server.called == [(signal.SIGTERM, True)]
    signals.uninstall()


async def test_a_forked_child_has_the_handlers_but_nothing_to_drain(
    server: Server, running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = install_threaded(Drain())
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        assert not signals.is_installed()
        signals._on_signal(signal.SIGTERM, None)
    assert server.called == [(signal.SIGTERM, False)]
    assert signals.is_installed()
    signals.uninstall()


async def test_a_second_interrupt_ends_what_runs_and_is_passed_on(server: Server, running: None) -> None:
    drain = Drain()

    def cut() -> None:
        assert threading.current_thread().name == "wsproto-loop"
        assert server.called == []
        drain.end.set()

    signals = install_threaded(drain, cut=cut)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: drain.begun)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: server.called)
    assert server.called == [(signal.SIGINT, True)]
    assert drain.begun == 1
    signals.uninstall()


async def test_what_does_not_end_then_is_not_waited_for(
    server: Server, running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_core.signals._LAST_SECONDS", 0.05)
    drain = Drain()
    signals = install_threaded(drain)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: drain.begun)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: server.called)
    assert server.called == [(signal.SIGINT, True)]
    signals.uninstall()


async def test_who_is_interrupted_a_third_time_stops_at_once(server: Server, running: None) -> None:
    drain, cuts = Drain(), list[str]()
    signals = install_threaded(drain, cut=lambda: cuts.append("cut"))
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: drain.begun)
    os.kill(os.getpid(), signal.SIGINT)
    await until(lambda: cuts)
    assert server.called == []
    os.kill(os.getpid(), signal.SIGINT)
    assert server.called == [(signal.SIGINT, True)]
    loop_thread.loop.call_soon_threadsafe(drain.end.set)
    loop_thread.run(asyncio.sleep(0.01))
    assert (len(server.called), cuts) == (1, ["cut"])
    signals.uninstall()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
async def test_what_a_parent_passes_on_is_no_second_signal(server: Server, running: None, first: int) -> None:
    signal.signal(signal.SIGQUIT, server.handle)
    drain, cuts = Drain(), list[str]()
    signals = install_threaded(drain, cut=lambda: cuts.append("cut"))
    os.kill(os.getpid(), first)
    await until(lambda: drain.begun)
    passed_on = signal.SIGQUIT if first == signal.SIGINT else signal.SIGTERM
    os.kill(os.getpid(), passed_on)
    assert server.called == []
    loop_thread.loop.call_soon_threadsafe(drain.end.set)
    await until(lambda: server.called)
    assert (server.called, cuts) == ([(first, True)], [])
    signals.uninstall()


async def test_both_interrupts_of_a_terminal_come_twice(server: Server, running: None) -> None:
    signal.signal(signal.SIGQUIT, server.handle)
    drain, cuts = Drain(), list[str]()
    signals = install_threaded(drain, cut=lambda: cuts.append("cut"))
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGQUIT)
    await until(lambda: cuts)
    assert (server.called, cuts) == ([], ["cut"])
    loop_thread.loop.call_soon_threadsafe(drain.end.set)
    await until(lambda: server.called)
    assert server.called == [(signal.SIGINT, True)]
    signals.uninstall()


async def test_a_further_sigterm_is_the_servers_and_cuts_nothing_short(server: Server, running: None) -> None:
    drain, cuts = Drain(), list[str]()
    signals = install_threaded(drain, cut=lambda: cuts.append("cut"))
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
    assert server.called == [(signal.SIGTERM, True)]
    loop_thread.loop.call_soon_threadsafe(drain.end.set)
    loop_thread.run(asyncio.sleep(0.01))
    # It has been told.
    assert (len(server.called), cuts) == (1, [])
    signals.uninstall()


async def test_a_child_that_is_forked_during_the_drain_has_the_signal_at_once(
    server: Server, running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = Drain()
    signals = install_threaded(drain, cut=drain.end.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: drain.begun)
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        signals._on_signal(signal.SIGINT, None)
    assert server.called == [(signal.SIGINT, False)]
    signals.uninstall()
