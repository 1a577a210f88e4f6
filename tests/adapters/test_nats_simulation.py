"""What the simulation counts is what a real NATS carries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.simulation.counting import Plan
from tests.adapters.engines import off_loop
from tests.adapters.nats_server import NatsServer
from tests.adapters.simulated import play
from wsproto_nats import NatsBackplane


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path) as server:
        yield server


async def test_a_nats_carries_what_is_simulated(nats: NatsServer) -> None:
    expected, received = await play(lambda: NatsBackplane(nats.url), Plan(routing="routes", echo=False))
    assert received == expected.received
    told = await off_loop(nats.monitor, "varz")
    assert [told["in_msgs"], told["out_msgs"]] == [*expected.into, *expected.out]
