"""The protocol through the gateway: a client cannot tell that there is one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.gateways import gateway
from tests.adapters.hosts import WEBSOCKETS
from tests.adapters.serving import Server
from wsproto_core.testing.conformance import CASES, Case, Target
from wsproto_core.testing.conformance.runner import run_case

# As the server of the gateway is, which is uvicorn with its default implementation.
LACKS: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway before a service of ours on the websockets library's server."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    command = ("-m", WEBSOCKETS, "{port}")
    with Server(command, folder / "service.log", {"TEST_LIMITS": json.dumps({})}) as behind:
        options = {"forward_path": True, "forward_query": True, "forward_headers": ["authorization", "cookie"]}
        with gateway(folder, behind.url(""), max_message_bytes=16 * 1_048_576, **options) as server:
            yield server


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
async def test_gateway_conforms(gate: Server, case: Case) -> None:
    result = await run_case(Target(gate.url("/ws/"), LACKS), case)
    assert result.outcome in {"pass", "n/a"}, result.why
