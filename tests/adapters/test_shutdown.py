"""What every host does when its server is told to stop: running actions end, clients are told, nothing is left."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import InvalidStatus

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, Client

ExitCodes = dict[signal.Signals, int]

CLIENTS = 50
DRAIN_TIMEOUT = 10  # seconds, the default
RESTARTS = (1012, "The server restarts.")

# As small as an application on a server can be: what ends it, ends any.
BARE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
"""


async def connect_all(stack: AsyncExitStack, server: Server, count: int = CLIENTS) -> list[Client]:
    """Connect clients that are served already."""
    clients = [await stack.enter_async_context(server.connect()) for _ in range(count)]
    for client in clients:
        await client.ask("health")
    return clients


async def begin(client: Client, watcher: Client, action: str, gate: str, **payload: float) -> str:
    """Let a client call an action that waits for a gate, and wait until it does; return the `req_id`."""
    connection_id = await client.connection_id()
    req_id = await client.send(action, {"name": gate, **payload})
    await watcher.noted("waiting", connection_id)
    return req_id


@pytest.fixture(scope="session")
def uvicorn_exits(start: Callable[..., Server]) -> ExitCodes:
    """What uvicorn exits with at a signal without us."""
    codes = {}
    for how in (signal.SIGTERM, signal.SIGINT):
        with start("app:app", source=BARE) as bare:
            bare.signal(how)
            codes[how] = bare.process.wait(PATIENCE)
    return codes


def exit_code(host: Host, how: signal.Signals, uvicorn_exits: ExitCodes) -> int:
    """What the host exits with at a signal."""
    if host.exits is None:
        return uvicorn_exits[how]
    return host.exits[how is signal.SIGINT]


async def test_all_clients_are_told_and_running_actions_are_answered_first(
    host: Host, serve: Serve, name: str, uvicorn_exits: ExitCodes
) -> None:
    server = serve(host)
    seconds = 10 if host.serves_to_the_end else 1
    async with AsyncExitStack() as stack:
        idle = await connect_all(stack, server)
        watcher, waiting, blocked = await connect_all(stack, server, 3)
        await watcher.watch()
        threaded = await begin(blocked, watcher, "block", name, seconds=seconds)
        running = await begin(waiting, watcher, "wait", name, seconds=seconds)
        late = await waiting.send("whoami")
        healthy = await waiting.send("health")
        server.signal(signal.SIGTERM)
        # Who has nothing to wait for does not wait.
        for client in (*idle, watcher):
            assert await client.closed() == RESTARTS
        if host.serves_to_the_end:
            # No one comes in any more.
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(server.connect())
            if "denial" in host.lacks:
                assert refused.value.response.status_code == 403
            else:
                assert refused.value.response.status_code == 503
                assert json.loads(refused.value.response.body or b"")["code"] == "unavailable"
            server.get(f"/open/{name}")
        code, reason, answers = await waiting.rest()
        assert (code, reason) == RESTARTS
        assert [(answer["req_id"], answer.get("event") or answer["code"]) for answer in answers] == [
            (running, "passed"),
            (late, "unavailable"),
            (healthy, "health"),
        ]
        code, reason, answers = await blocked.rest()
        assert (code, reason) == RESTARTS
        assert [(answer["req_id"], answer.get("event")) for answer in answers] == [(threaded, "passed")]
    assert await server.exit_code() == exit_code(host, signal.SIGTERM, uvicorn_exits)
    assert host.farewell in server.log
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


async def test_an_interrupt_does_the_same(one_host: Host, serve: Serve, uvicorn_exits: ExitCodes) -> None:
    server = serve(one_host)
    async with AsyncExitStack() as stack:
        clients = await connect_all(stack, server)
        server.signal(signal.SIGINT)
        for client in clients:
            assert await client.closed() == RESTARTS
    assert await server.exit_code() == exit_code(one_host, signal.SIGINT, uvicorn_exits)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_second_signal_cuts_it_short(
    one_host: Host, serve: Serve, name: str, uvicorn_exits: ExitCodes, how: signal.Signals
) -> None:
    server = serve(one_host)
    async with AsyncExitStack() as stack:
        watcher, waiting = await connect_all(stack, server, 2)
        await watcher.watch()
        await begin(waiting, watcher, "wait", name)
        server.signal(how)
        assert await watcher.closed() == RESTARTS
        began = time.monotonic()
        if one_host.parent:
            server.signal_all(signal.SIGINT)
        else:
            server.signal(how)
        # Without a server's own handlers the second signal ends the process as it would any.
        assert (await waiting.closed())[0] in ({1001, 1012} if one_host.farewell else {1001, 1006, 1012})
        assert await server.exit_code() == exit_code(one_host, how, uvicorn_exits)
        assert time.monotonic() - began < DRAIN_TIMEOUT - 1
    # The application's own shutdown has its turn all the same.
    assert one_host.farewell in server.log
    assert "Traceback" not in server.log


async def test_an_action_that_takes_too_long_is_stopped_with_a_problem(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, drain_timeout=0.3)
    async with AsyncExitStack() as stack:
        watcher, waiting, blocked = await connect_all(stack, server, 3)
        await watcher.watch()
        stopped = {
            await begin(waiting, watcher, "wait", name): waiting,
            # A thread cannot be stopped, and the process waits for it: it ends by itself soon.
            await begin(blocked, watcher, "block", name, seconds=1): blocked,
        }
        server.signal(signal.SIGTERM)
        for req_id, client in stopped.items():
            code, reason, (answer,) = await client.rest()
            assert (code, reason) == RESTARTS
            assert (answer["req_id"], answer["code"], answer["retryable"]) == (req_id, "unavailable", True)
    await server.exit_code()
    assert "Traceback" not in server.log
