"""This library's hub: limits, numbering, a bounded outbox for each connection; the default settings."""

from collections.abc import Awaitable, Callable

from benchmarks.applications.ours import Said, registry
from benchmarks.fanout.transport import Transport
from benchmarks.wire import SAID
from wsproto_core import Admission, Hub, Limits, Settings, room


async def open_hub(members: int, others: int, write: Callable[[str], None]) -> Callable[[], Awaitable[None]]:
    hub = Hub(Settings(registry=registry, limits=Limits(max_connections=None)))
    for number in range(members + others):
        transport = Transport(write)
        name = "lobby" if number < members else f"elsewhere {number // 10}"
        admission = await hub.admit(transport.info, user_id=number, rooms=[name])
        assert isinstance(admission, Admission)
        session = hub.open(transport, admission)
        while session.is_busy:
            await transport.pause()

    async def publish() -> None:
        await hub.emit(Said(**SAID), to=room("lobby"))

    return publish
