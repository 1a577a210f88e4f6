"""NATS dies, hangs and drops connections under real servers with clients: what they do meanwhile, and afterwards."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from tests.adapters.engines import cpu_seconds, off_loop
from tests.adapters.flapping import Proxy
from tests.adapters.nats_server import NatsServer
from tests.adapters.serving import Server, reserve_port
from tests.adapters.talking import eventually

# The servers, their clients and what is asked of them are the same for each engine.
from tests.adapters.test_redis_faults import (
    _BACK,
    _MARGIN,
    cluster,
    member,
    start,  # noqa: F401 - a fixture
)

Start = Callable[[str], Server]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path) as server:
        yield server


async def test_nats_is_killed_and_comes_back(start: Start, nats: NatsServer) -> None:  # noqa: F811
    async with cluster(start, nats.url, nats.url) as both:
        nats.kill()
        both.watch_cpu()
        end = monotonic() + 2.5
        while monotonic() < end:
            await both.local_delivery_goes_on()
            await asyncio.sleep(0.1)
        both.nobody_spun()
        nats.begin()
        await nats.listens()
        assert await both.is_back() < _BACK + _MARGIN
        await both.everything_arrives()
        both.nothing_came_twice()
        await both.gaps_were_told()
        assert both.logged("NATS is away, ") == both.logged(" is back\n") == [1, 1]


@pytest.mark.parametrize("seconds", [5, pytest.param(20, marks=pytest.mark.soak)])
async def test_nats_hangs(start: Start, nats: NatsServer, seconds: float) -> None:  # noqa: F811
    async with cluster(start, nats.url, nats.url) as both:
        nats.signal(signal.SIGSTOP)
        both.watch_cpu()
        end = monotonic() + seconds
        try:
            while monotonic() < end:
                await both.local_delivery_goes_on()
                await asyncio.sleep(0.1)
        finally:
            nats.signal(signal.SIGCONT)
        both.nobody_spun()
        assert await both.is_back() < _BACK + _MARGIN
        await both.everything_arrives()
        both.nothing_came_twice()
        # Nobody in the second process said anything meanwhile.
        await both.gaps_were_told(here=False)


async def test_connections_are_dropped_in_mid_stream(start: Start, nats: NatsServer) -> None:  # noqa: F811
    proxy = Proxy(nats.port)
    url = f"nats://127.0.0.1:{proxy.port}"
    async with proxy.serve(), cluster(start, url, url) as both:
        streaming = asyncio.create_task(off_loop(both.servers[0].get, "/stream/lobby/100000/300"))
        dropped = 0
        for _ in range(5):
            await asyncio.sleep(0.2)
            dropped += proxy.drop()
        await streaming
        assert dropped >= 8
        assert await both.is_back() < _BACK + _MARGIN
        streamed = [number for number in both.there.numbers if number >= 100_000]
        assert streamed == sorted(streamed)
        assert [number for number in both.beside.numbers if number >= 100_000] == list(range(100_000, 100_300))
        await both.everything_arrives()
        both.nothing_came_twice()
        await both.gaps_were_told()


async def test_the_network_flaps(start: Start, nats: NatsServer) -> None:  # noqa: F811
    proxy = Proxy(nats.port)
    async with proxy.serve(), cluster(start, nats.url, f"nats://127.0.0.1:{proxy.port}") as both:
        both.watch_cpu()
        dropped = 0
        for number in range(16):
            proxy.open = number % 4 != 0
            dropped += proxy.drop()
            await both.local_delivery_goes_on()
            await asyncio.sleep(0.2)
        both.nobody_spun()
        proxy.open = True
        assert dropped >= 4
        assert await both.is_back() < _BACK + _MARGIN
        await both.everything_arrives()
        both.nothing_came_twice()
        assert (bool(both.there.gaps), bool(both.there_too.gaps), bool(both.here.gaps)) == (True, True, False)


async def test_a_node_of_a_cluster_dies(start: Start, tmp_path: Path) -> None:  # noqa: F811
    routes = [reserve_port() for _ in range(2)]
    ports = [each.getsockname()[1] for each in routes]

    def node(own: int, other: int) -> NatsServer:
        route = f"nats://127.0.0.1:{ports[own]}"
        options = ("--cluster_name", "tests", "--cluster", route, "--routes", f"nats://127.0.0.1:{ports[other]}")
        return NatsServer(tmp_path, *options)

    with ExitStack() as stack:
        one, other = [await off_loop(stack.enter_context, node(*numbers)) for numbers in ((0, 1), (1, 0))]
        for each in routes:
            stack.callback(each.close)
        await eventually(lambda: one.monitor("routez")["num_routes"] > 0)
        # Each process is told of one node only; the first learns of the other from the server.
        async with cluster(start, one.url, other.url) as both:
            one.kill()
            await both.local_delivery_goes_on()
            assert await both.is_back() < _BACK + _MARGIN
            await both.everything_arrives()
            both.nothing_came_twice()
            assert (bool(both.here.gaps), both.logged(" is back\n")) == (True, [1, 0])


@pytest.mark.parametrize("restarts", [5, pytest.param(200, marks=pytest.mark.soak)])
async def test_processes_that_are_killed_under_load_leave_nothing(
    start: Start,  # noqa: F811
    nats: NatsServer,
    restarts: int,
) -> None:
    stays = await off_loop(start, nats.url)
    async with member(stays, "lobby"):
        held = [(each["name"], each["subscriptions"]) for each in await nats.connections()]
        for number in range(restarts):
            server = await off_loop(start, nats.url)
            async with server.connect() as client:
                assert (await client.ask("join", {"room": "lobby"}))["event"] == "joined"
                assert (await client.ask("join", {"room": f"own {number} ", "count": 50}))["event"] == "joined"
                load = asyncio.create_task(off_loop(stays.get, "/stream/lobby/0/20"))
                assert (await client.receive())["event"] == "numbered"
                server.process.kill()
                await server.exit_code()
                await load

        async def is_clean() -> bool:
            return [(each["name"], each["subscriptions"]) for each in await nats.connections()] == held

        async with asyncio.timeout(20):
            while not await is_clean():  # noqa: ASYNC110 - what it waits for is in another process
                await asyncio.sleep(0.05)


async def test_a_process_hears_of_its_own_rooms_only(start: Start, nats: NatsServer) -> None:  # noqa: F811
    servers = [await off_loop(start, nats.url) for _ in range(2)]
    async with servers[0].connect() as one, servers[1].connect() as other:
        begun = monotonic()
        for name, client in (("one ", one), ("other ", other)):
            for part in range(10):
                joined = await client.ask("join", {"room": f"{name}{part} ", "count": 500})
            assert joined["payload"]["rooms"] == 5_000
        assert monotonic() - begun < 20
        before = {each["cid"]: each["out_msgs"] for each in await nats.connections()}
        await off_loop(servers[0].get, "/emit/other%203%207/1/100")
        for number in range(1, 101):
            assert (await other.receive())["payload"]["number"] == number
        after = {each["cid"]: each["out_msgs"] for each in await nats.connections()}
        assert sorted(after[each] - before[each] for each in after) == [0, 100]


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.soak)])
async def test_an_idle_process_does_nothing(start: Start, nats: NatsServer, seconds: float) -> None:  # noqa: F811
    async with cluster(start, nats.url, nats.url) as both:
        await asyncio.sleep(1)
        process = both.servers[0].process.pid
        used = cpu_seconds(process)
        await asyncio.sleep(seconds)  # what is measured is that nothing happens
        # uvicorn wakes ten times a second by itself.
        assert cpu_seconds(process) - used < 0.02 * seconds
