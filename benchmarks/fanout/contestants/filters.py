"""This library's hub, with as many filters of others as there are `others`; the members subscribe to the topic."""

from collections.abc import Awaitable, Callable

from benchmarks.applications.ours import Said, registry
from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID
from wsproto_core import ActionContext, Admission, Hub, Limits, Settings, topic

FILTERS_EACH = 100  # of one connection


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    hub = Hub(Settings(registry=registry, limits=Limits(max_connections=None)))
    wanted = [["sport/football/score"] for _ in range(members)]
    wanted += [
        [f"sport/{(first + number) % 1_000}/{first + number}/+" for number in range(FILTERS_EACH)]
        for first in range(0, others, FILTERS_EACH)
    ]
    for filters in wanted:
        transport = Transport(write)
        admission = await hub.admit(transport.info, user_id=None)
        assert isinstance(admission, Admission)
        session = hub.open(transport, admission)
        await ActionContext(session).subscribe(*filters)

    async def publish() -> None:
        await hub.emit(Said(**SAID), to=topic("sport/football/score"))

    return publish
