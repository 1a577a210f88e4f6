"""The suite for backplanes on Redis and on a Redis cluster, which the tests start."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis

from tests.adapters.backplane_cases import cases_for
from tests.adapters.engines import RedisServer, off_loop, redis_cluster, running, wait_for_cluster
from wsproto_core.testing.backplanes import ABILITIES, Case
from wsproto_redis import RedisBackplane
from wsproto_redis.channels import Channels


class SingleRedis:
    """A server, and backplanes on it."""

    abilities = frozenset(ABILITIES)
    largest = 1 << 20

    def __init__(self, server: RedisServer) -> None:
        self.server = server

    def backplane(self, **options: Any) -> RedisBackplane:
        return RedisBackplane(self.server.url, timeout=2, **options)

    async def poison(self, topic: str, data: bytes) -> None:
        def publish() -> None:
            with self.server.client() as client:
                client.publish(Channels("wsproto:").channel_of(topic)[0].decode(), data)

        await off_loop(publish)

    async def left(self) -> Sequence[str]:
        left: Sequence[str] = await off_loop(self.server.held)
        return left

    async def cut(self) -> None:
        await off_loop(self.server.cut)

    async def kill(self) -> None:
        await off_loop(self.server.kill)

    async def revive(self) -> None:
        await off_loop(self.server.start)

    async def pause(self) -> None:
        await off_loop(self.server.pause)

    async def resume(self) -> None:
        await off_loop(self.server.resume)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@cases_for(SingleRedis.abilities)
async def test_redis(case: Case, server: RedisServer) -> None:
    await case.check(SingleRedis(server))


class RedisCluster(SingleRedis):
    """Three primaries; what is done to a cluster is done to all of them."""

    abilities = frozenset(ABILITIES)

    def __init__(self, nodes: Sequence[RedisServer]) -> None:
        super().__init__(nodes[0])
        self.nodes = nodes

    def backplane(self, **options: Any) -> RedisBackplane:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[1:])
        return RedisBackplane(f"redis+cluster://{hosts}", timeout=2, **options)

    async def poison(self, topic: str, data: bytes) -> None:
        channel, sharded = Channels("wsproto:", sharded=True).channel_of(topic)

        def publish() -> None:
            for node in self.nodes:
                with node.client() as client, contextlib.suppress(redis.ResponseError):
                    client.execute_command("SPUBLISH" if sharded else "PUBLISH", channel, data)
                    return

        await off_loop(publish)

    async def left(self) -> Sequence[str]:
        return [each for node in self.nodes for each in await off_loop(node.held)]

    async def cut(self) -> None:
        for node in self.nodes:
            await off_loop(node.cut)

    async def kill(self) -> None:
        for node in self.nodes:
            await off_loop(node.kill)

    async def revive(self) -> None:
        for node in self.nodes:
            await off_loop(node.start)
        await off_loop(wait_for_cluster, self.nodes)

    async def pause(self) -> None:
        for node in self.nodes:
            await off_loop(node.pause)

    async def resume(self) -> None:
        for node in self.nodes:
            await off_loop(node.resume)
        await off_loop(wait_for_cluster, self.nodes)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[RedisServer]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@cases_for(RedisCluster.abilities)
async def test_redis_cluster(case: Case, nodes: Sequence[RedisServer]) -> None:
    await case.check(RedisCluster(nodes))
