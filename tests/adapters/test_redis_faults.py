"""Redis dies, hangs and drops connections under real servers with clients: what they do meanwhile, and afterwards."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.adapters.engines import RedisServer, cpu_seconds, off_loop, running
from tests.adapters.flapping import Proxy
from tests.adapters.serving import Server
from tests.adapters.talking import Client, eventually, message

_names = itertools.count(1)
_BACK = 2.0  # seconds after Redis's return, as promised
_MARGIN = 2.0  # for a busy machine
APPLICATION = ("-m", "uvicorn", "tests.adapters.applications.on_redis:app", "--host", "127.0.0.1", "--port", "{port}")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path / "redis")) as server:
        yield server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts a server process on a backplane."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(
            Server(APPLICATION, tmp_path / f"server-{next(_names)}.log", {"TEST_BACKPLANE": url})
        )


class Member:
    """A client that negotiated, in a room: what it got."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.numbers: list[int] = []
        self.gaps: list[str] = []

    async def listen(self) -> None:
        async for text in self._client.websocket:
            received = json.loads(text)
            if received.get("event") == "numbered":
                self.numbers.append(received["payload"]["number"])
            elif received.get("event") == "ws.gap":
                self.gaps.append(received["payload"]["topic"])

    async def say(self, room: str, number: int) -> None:
        await self._client.websocket.send(json.dumps(message("say", {"room": room, "number": number})))

    async def hears(self, number: int, seconds: float = 20) -> None:
        end = monotonic() + seconds
        while number not in self.numbers:
            assert monotonic() < end, f"{number} never came; {self.numbers[-10:]}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def member(server: Server, room: str) -> AsyncIterator[Member]:
    async with server.connect(subprotocols=["wsproto.v1.json"]) as client:
        await client.websocket.send(json.dumps(message("join", {"room": room})))
        while (await client.receive()).get("event") != "joined":
            pass
        member = Member(client)
        listening = asyncio.create_task(member.listen())
        try:
            yield member
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


class Cluster:
    """Two processes with two clients each in one room."""

    def __init__(self, servers: list[Server], members: list[Member]) -> None:
        self.servers = servers
        self.here, self.beside, self.there, self.there_too = members
        self._next = 1_000
        self._cpu = 0.0
        self._since = 0.0

    async def local_delivery_goes_on(self) -> None:
        """What is said is heard in the same process within a second."""
        self._next += 1
        begun = monotonic()
        await self.here.say("lobby", self._next)
        await self.beside.hears(self._next)
        assert monotonic() - begun < 1 + _MARGIN

    async def is_back(self) -> float:
        """Wait until what is said in each process is heard in the other one; return after how long."""
        begun = monotonic()
        for speaker, listener in ((self.here, self.there), (self.there, self.here)):
            while True:
                self._next += 1
                await speaker.say("lobby", self._next)
                try:
                    await listener.hears(self._next, 0.1)
                    break
                except AssertionError:
                    assert monotonic() - begun < 20, "it never came back"
        return monotonic() - begun

    async def everything_arrives(self) -> None:
        """A hundred messages from each process, in order, each once."""
        for speaker in (self.here, self.there):
            numbers = list(range(self._next + 1, self._next + 101))
            self._next += 100
            for number in numbers:
                await speaker.say("lobby", number)
            for each in (self.here, self.beside, self.there, self.there_too):
                await each.hears(numbers[-1])
                assert [number for number in each.numbers if number in set(numbers)] == numbers

    def nothing_came_twice(self) -> None:
        for each in (self.here, self.beside, self.there, self.there_too):
            assert len(set(each.numbers)) == len(each.numbers)

    def watch_cpu(self) -> None:
        self._cpu, self._since = sum(cpu_seconds(server.process.pid) for server in self.servers), monotonic()

    def nobody_spun(self) -> None:
        used = sum(cpu_seconds(server.process.pid) for server in self.servers) - self._cpu
        assert used < 0.5 * (monotonic() - self._since) + 0.5, f"{used} s"

    async def gaps_were_told(self, *, here: bool = True) -> None:
        """To all clients, or to those of the second process."""
        for each in (self.here, self.beside, self.there, self.there_too)[0 if here else 2 :]:
            assert "room/lobby" in each.gaps, each.gaps
        for server in self.servers[0 if here else 1 :]:
            assert (await off_loop(server.get, "/stats"))["counters"]["gaps"] >= 1

    def logged(self, text: str) -> list[int]:
        return [server.log.count(text) for server in self.servers]


@asynccontextmanager
async def cluster(start: Callable[[str], Server], *urls: str) -> AsyncIterator[Cluster]:
    servers = [await off_loop(start, url) for url in urls]
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(member(server, "lobby")) for server in servers for _ in range(2)]
        both = Cluster(servers, members)
        await both.is_back()
        yield both
        assert all(server.process.poll() is None for server in servers)
    assert not any("Traceback" in server.log for server in servers), [server.log for server in servers]


async def test_redis_is_killed_and_comes_back_empty(start: Callable[[str], Server], redis_server: RedisServer) -> None:
    async with cluster(start, redis_server.url, redis_server.url) as both:
        redis_server.kill()
        both.watch_cpu()
        end = monotonic() + 2.5
        while monotonic() < end:
            await both.local_delivery_goes_on()
            await asyncio.sleep(0.1)
        both.nobody_spun()
        await off_loop(redis_server.start)
        assert await both.is_back() < _BACK + _MARGIN
        await both.everything_arrives()
        both.nothing_came_twice()
        await both.gaps_were_told()
        assert both.logged("is away: ") == both.logged("is back\n") == [1, 1]


@pytest.mark.parametrize("seconds", [5, pytest.param(20, marks=pytest.mark.soak)])
async def test_redis_hangs(start: Callable[[str], Server], redis_server: RedisServer, seconds: float) -> None:
    async with cluster(start, redis_server.url, redis_server.url) as both:
        redis_server.pause()
        both.watch_cpu()
        end = monotonic() + seconds
        try:
            while monotonic() < end:
                await both.local_delivery_goes_on()
                await asyncio.sleep(0.1)
        finally:
            redis_server.resume()
        both.nobody_spun()
        assert await both.is_back() < _BACK + _MARGIN
        await both.everything_arrives()
        both.nothing_came_twice()
        # Nobody in the second process said anything meanwhile.
        await both.gaps_were_told(here=False)


async def test_connections_are_dropped_in_mid_stream(start: Callable[[str], Server], redis_server: RedisServer) -> None:
    async with cluster(start, redis_server.url, redis_server.url) as both:
        streaming = asyncio.create_task(off_loop(both.servers[0].get, "/stream/lobby/100000/300"))
        killed = 0
        with redis_server.client() as inspector:
            for _ in range(5):
                for each in await off_loop(inspector.client_list):
                    if each["name"] == "wsproto":
                        killed += await off_loop(inspector.client_kill_filter, each["id"])
                        await asyncio.sleep(0.05)
        await streaming
        assert killed >= 8
        assert await both.is_back() < _BACK + _MARGIN
        streamed = [number for number in both.there.numbers if number >= 100_000]
        assert streamed == sorted(streamed)
        assert [number for number in both.beside.numbers if number >= 100_000] == list(range(100_000, 100_300))
        await both.everything_arrives()
        both.nothing_came_twice()
        await both.gaps_were_told()


async def test_the_network_flaps(start: Callable[[str], Server], redis_server: RedisServer) -> None:
    proxy = Proxy(redis_server.port)
    async with proxy.serve(), cluster(start, redis_server.url, f"redis://127.0.0.1:{proxy.port}") as both:
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


@pytest.mark.parametrize("restarts", [6, pytest.param(200, marks=pytest.mark.soak)])
async def test_processes_that_are_killed_under_load_leave_nothing(
    start: Callable[[str], Server], redis_server: RedisServer, restarts: int
) -> None:
    stays = await off_loop(start, redis_server.url)
    async with member(stays, "lobby"):
        held = await off_loop(redis_server.held)
        for number in range(restarts):
            server = await off_loop(start, redis_server.url)
            async with server.connect() as client:
                assert (await client.ask("join", {"room": "lobby"}))["event"] == "joined"
                assert (await client.ask("join", {"room": f"own {number} ", "count": 50}))["event"] == "joined"
                load = asyncio.create_task(off_loop(stays.get, "/stream/lobby/0/20"))
                assert (await client.receive())["event"] == "numbered"
                server.process.kill()
                await server.exit_code()
                await load

        def is_clean() -> bool:
            return len(redis_server.held()) == len(held)

        await eventually(is_clean)


async def test_ten_thousand_rooms_in_two_processes(start: Callable[[str], Server], redis_server: RedisServer) -> None:
    servers = [await off_loop(start, redis_server.url) for _ in range(2)]
    async with servers[0].connect() as one, servers[1].connect() as other:
        begun = monotonic()
        for name, client in (("one ", one), ("other ", other)):
            for part in range(10):
                joined = await client.ask("join", {"room": f"{name}{part} ", "count": 500})
            assert joined["payload"]["rooms"] == 5_000
        assert monotonic() - begun < 20
        with redis_server.client() as inspector:
            names = [
                f"wsproto:room/{name}{part} {number}"
                for name in ("one ", "other ")
                for part in range(10)
                for number in range(500)
            ]
            # Redis counts whom it sends a message to.
            pipeline = inspector.pipeline(transaction=False)
            for name in names:
                pipeline.publish(name, b"{}")
            assert await off_loop(pipeline.execute) == [1] * 10_000
        counted: list[Any] = []
        for server in servers:

            def heard(server: Server = server) -> Any:
                stats = server.get("/stats")["counters"]
                return stats.get("malformed_publications", 0) >= 5_000 and stats

            counted.append(await eventually(heard))
        assert [each["malformed_publications"] for each in counted] == [5_000, 5_000]
