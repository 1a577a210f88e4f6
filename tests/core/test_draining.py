import asyncio
import threading
import time
from typing import Any

from tests.core.peer import PLAIN, V1, Elsewhere, hub_of, opened, peer
from wsproto_core import Admission, CloseCode, ConnectionInfo, Limits, Registry
from wsproto_core.draining import drain_sessions
from wsproto_core.testing import MemoryTransport


class Dead(MemoryTransport):
    """Nobody is there to take part in the closing handshake."""

    async def close(self, code: int, reason: str) -> None:
        await asyncio.Event().wait()


async def test_who_opted_in_is_told_before_the_end_and_when_to_come_back() -> None:
    hub = hub_of()
    async with peer(hub, V1) as told, peer(hub, PLAIN) as plain:
        draining = asyncio.create_task(hub.drain())
        drain = await told.read()
        assert drain["event"] == "ws.drain"
        assert 0 <= drain["payload"]["retry_after"] <= 1
        assert drain["recipient_id"] == told.id
        for client in (told, plain):
            assert (await client.cut())[0] == CloseCode.SERVICE_RESTART
            await client.leave()
        await draining
        assert plain.unread() == []


async def test_many_clients_are_told_to_come_back_one_after_the_other() -> None:
    hub = hub_of()
    clients = [await opened(hub, V1) for _ in range(1_500)]
    draining = asyncio.create_task(hub.drain())
    await asyncio.sleep(0)
    waits = []
    for client in clients:
        assert (await client.read())["event"] == "ws.ready"
        waits.append((await client.read())["payload"]["retry_after"])
        await client.cut()
        client.session.closed(1012)
    await draining
    assert 1 < max(waits) <= 3
    assert min(waits) < 1


async def test_what_runs_may_end_and_nothing_new_begins() -> None:
    registry = Registry()
    release = asyncio.Event()

    @registry.action("work")
    async def work() -> None:
        await release.wait()

    hub = hub_of(registry)
    async with peer(hub, V1) as client:
        await client.send("work")
        draining = asyncio.create_task(hub.drain())
        assert (await client.read())["event"] == "ws.drain"
        await client.send("work")
        release.set()
        ends = [await client.read() for _ in range(2)]
        assert [each.get("event", each.get("code")) for each in ends] == ["ws.complete", "unavailable"]
        assert (await client.cut())[0] == CloseCode.SERVICE_RESTART
        await client.leave()
        await draining


async def test_who_was_on_the_way_when_the_drain_began_is_told_to_come_back() -> None:
    let_in = asyncio.Event()

    async def authenticate(info: ConnectionInfo) -> int:
        await let_in.wait()
        return 1

    hub = hub_of(authenticate=authenticate)
    info = ConnectionInfo()
    admitting = asyncio.create_task(hub.admit(info))
    await asyncio.sleep(0)
    await hub.drain()
    let_in.set()
    admission = await admitting
    assert isinstance(admission, Admission)
    transport = MemoryTransport(info)
    session = hub.open(transport, admission)
    assert not session.is_open
    await transport.next_frame()
    assert transport.close_code == CloseCode.SERVICE_RESTART
    session.closed()
    await session.finished()


async def test_a_thousand_that_do_not_answer_take_as_long_as_one() -> None:
    async def time_of(number: int) -> float:
        hub = hub_of(limits=Limits(drain_timeout=0.2))
        clients = [await opened(hub, transport=Dead) for _ in range(number)]
        begun = time.monotonic()
        await hub.drain()
        took = time.monotonic() - begun
        for client in clients:
            await client.leave()
        return took

    # One after the other they would take a thousand times the time of one.
    assert await time_of(1_000) < 20 * await time_of(1)


async def test_one_whose_loop_is_gone_is_let_go() -> None:
    hub = hub_of()
    with Elsewhere() as there:
        client = await there.run(opened(hub))
    assert list(hub.connections) == [client.id]
    await drain_sessions(hub.connections.values(), hub._index, 1012, "", timeout=1)
    assert list(hub.connections) == []


async def test_nobody_who_is_there_waits_for_who_is_not() -> None:
    hub = hub_of(limits=Limits(drain_timeout=5))
    seen: list[Any] = []

    class Here(MemoryTransport):
        async def close(self, code: int, reason: str) -> None:
            seen.append((code, threading.current_thread()))
            await super().close(code, reason)

    dead, here = await opened(hub, transport=Dead), await opened(hub, transport=Here)
    draining = asyncio.create_task(hub.drain())
    assert (await here.cut())[0] == CloseCode.SERVICE_RESTART
    assert not draining.done()
    for client in (dead, here):
        await client.leave()
    await draining
    assert seen == [(1012, threading.main_thread())]
    assert isinstance(here.transport.info, ConnectionInfo)
