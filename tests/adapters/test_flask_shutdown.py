"""Flask's servers when they are told to stop: every client is told first, and the exit is the server's own."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from tests.adapters.hosts import FLASK, GUNICORN
from tests.adapters.serving import Server
from tests.adapters.talking import Client

CLIENTS = 50
RESTARTS = (1012, "The server restarts.")
WERKZEUG = ("-m", FLASK, "{port}")

Start = Callable[[Sequence[str]], Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as running:
        yield lambda command: running.enter_context(Server(command, tmp_path / "log", {}))


async def connect(stack: AsyncExitStack, server: Server, count: int = CLIENTS) -> list[Client]:
    clients = [await stack.enter_async_context(server.connect()) for _ in range(count)]
    for client in clients:
        assert await client.is_served()
    return clients


@pytest.mark.parametrize(
    ("command", "how", "code"),
    [
        ((*GUNICORN, f"{FLASK}:app"), signal.SIGTERM, 0),
        ((*GUNICORN, f"{FLASK}:app"), signal.SIGINT, 0),
        ((*GUNICORN, "--workers", "2", f"{FLASK}:app"), signal.SIGTERM, 0),
        (WERKZEUG, signal.SIGTERM, -signal.SIGTERM),
        (WERKZEUG, signal.SIGINT, 0),
    ],
    ids=["gunicorn-SIGTERM", "gunicorn-SIGINT", "gunicorn-two-workers", "werkzeug-SIGTERM", "werkzeug-SIGINT"],
)
async def test_every_client_is_told_and_the_exit_code_is_the_servers(
    start_server: Start, command: Sequence[str], how: signal.Signals, code: int
) -> None:
    server = start_server(command)
    async with AsyncExitStack() as stack:
        clients = await connect(stack, server)
        server.signal(how)
        ends = [await client.closed() for client in clients]
    assert set(ends) == {RESTARTS}
    assert await server.exit_code() == code
    assert "Traceback" not in server.log


async def test_with_preload_the_hook_of_gunicorn_installs_the_drain(start_server: Start, tmp_path: Path) -> None:
    configuration = tmp_path / "gunicorn.conf.py"
    configuration.write_text("from wsproto_flask import post_worker_init\n")
    server = start_server((*GUNICORN, "--preload", "--workers", "2", "--config", str(configuration), f"{FLASK}:app"))
    async with AsyncExitStack() as stack:
        clients = await connect(stack, server)
        server.signal(signal.SIGTERM)
        ends = [await client.closed() for client in clients]
    assert set(ends) == {RESTARTS}
    assert await server.exit_code() == 0


async def test_a_worker_that_is_forked_later_has_an_event_loop_of_its_own(start_server: Start) -> None:
    server = start_server((*GUNICORN, "--preload", f"{FLASK}:app"))
    async with server.connect() as client:
        assert await client.is_served()
        assert (await client.ask("whoami"))["event"] == "me"


@pytest.mark.parametrize(
    "stop",
    [
        lambda server: server.signal(signal.SIGTERM),
        # What a service manager sends to all processes, the parent passes on: to its workers it comes twice.
        lambda server: server.signal_all(signal.SIGTERM),
        # So it is with an interrupt from a terminal, which comes to the workers as a SIGQUIT the second time.
        lambda server: server.signal_all(signal.SIGINT),
    ],
    ids=["SIGTERM", "SIGTERM-to-all", "terminal"],
)
async def test_running_actions_are_answered_first(
    start_server: Start, name: str, stop: Callable[[Server], None]
) -> None:
    server = start_server((*GUNICORN, f"{FLASK}:app"))
    async with AsyncExitStack() as stack:
        watcher, waiting, blocked = await connect(stack, server, 3)
        await watcher.watch()
        running = {}
        for client, action in ((waiting, "wait"), (blocked, "block")):
            connection_id = await client.connection_id()
            running[client] = await client.send(action, {"name": name})
            await watcher.noted("waiting", connection_id)
        stop(server)
        assert await watcher.closed() == RESTARTS
        server.get(f"/open/{name}")
        for client, req_id in running.items():
            code, reason, answers = await client.rest()
            assert (code, reason) == RESTARTS
            assert answers[0]["req_id"] == req_id
    assert await server.exit_code() == 0
