"""The suite for backplanes on a real nats-server."""

from collections.abc import Iterator

import pytest

from tests.adapters.backplane_cases import cases_for
from tests.adapters.flapping import Proxy
from tests.adapters.nats_server import NatsEngine, NatsServer
from wsproto_core.testing.backplanes import Case, Engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@cases_for(NatsEngine.abilities)
async def test_nats(case: Case, server: NatsServer) -> None:
    async with Proxy(server.port).serve() as proxy:
        engine: Engine = NatsEngine(server, proxy)
        await case.check(engine)
