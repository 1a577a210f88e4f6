"""The conformance suite over real sockets, on every host; and one conversation that is the same on all of them."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from wsproto_core import ConnectionInfo, Hub, Settings
from wsproto_core.testing import MemoryTransport
from wsproto_core.testing.conformance import CASES, Case, Target, conformance_registry, run_transcript, talk
from wsproto_core.testing.conformance.runner import run_case


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
async def test_host_conforms(host: Host, server: Server, case: Case) -> None:
    result = await run_case(Target(server.url("/ws/"), host.lacks), case)
    assert result.outcome in {"pass", "n/a"}, result.why


@pytest.fixture
async def expected(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The conversation with the core alone, without a host."""
    caplog.set_level(logging.CRITICAL)
    hub = Hub(Settings(registry=conformance_registry(), problem_type_base_url="https://example.com/problems"))
    transport = MemoryTransport(ConnectionInfo(path="/ws/"))
    admission = await hub.admit(transport.info, user_id=None)
    session = hub.open(transport, admission)  # type: ignore[arg-type]  # it is no Denial, or this fails
    try:
        return await talk(session.receive, transport.next_frame)
    finally:
        session.closed()
        await session.finished()
        await hub.stop()


async def test_conversation_is_the_same_on_every_host(
    host: Host, start: Callable[..., Server], expected: list[dict[str, Any]]
) -> None:
    with start(host) as server:
        assert await run_transcript(Target(server.url("/ws/"))) == expected
