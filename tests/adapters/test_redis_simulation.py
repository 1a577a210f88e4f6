"""What the simulation counts is what a real Redis and a real Redis Cluster carry."""

from pathlib import Path
from typing import Any

from benchmarks.simulation.counting import Plan
from tests.adapters.engines import RedisServer as Server
from tests.adapters.engines import off_loop, redis_cluster, running
from tests.adapters.simulated import calls_of, play
from wsproto_redis import RedisBackplane


async def test_a_redis_carries_what_is_simulated(tmp_path: Path) -> None:
    with running(Server(tmp_path)) as server:
        expected, received = await play(lambda: RedisBackplane(server.url), Plan())
        assert received == expected.received
        assert calls_of([await off_loop(_commands, server)], "publish") == expected.into


async def test_each_node_of_a_cluster_carries_what_is_simulated(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as nodes:
        expected, received = await play(
            lambda: RedisBackplane(f"redis+cluster://127.0.0.1:{nodes[0].port}"), Plan(nodes=len(nodes))
        )
        assert received == expected.received
        assert calls_of([await off_loop(_commands, node) for node in nodes], "spublish") == expected.into


def _commands(server: Server) -> dict[str, Any]:
    with server.client() as client:
        stats: dict[str, Any] = client.info("commandstats")
        return stats
