"""A connection to a hub in memory, without manners: it sends any frame, and reads every frame as strict JSON."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from wsproto_core import ActionContext, ConnectionInfo, Denial, Hub, Registry, Settings
from wsproto_core.codec import V1_JSON
from wsproto_core.ids import new_id
from wsproto_core.session import Session
from wsproto_core.testing import MemoryTransport

PLAIN: tuple[str, ...] = ()
V1 = (V1_JSON,)

PATIENCE = 10.0  # seconds until what never comes fails a test


class Peer:
    """One connection: what the server keeps of it, and what it is written to."""

    def __init__(self, hub: Hub, session: Session, transport: MemoryTransport) -> None:
        self.hub = hub
        self.session = session
        self.transport = transport

    @property
    def context(self) -> ActionContext[Any]:
        """What a hook of the connection gets."""
        return ActionContext(self.session)

    @property
    def id(self) -> str:
        return self.session.id

    async def raw(self, frame: str | bytes) -> None:
        """Send a frame; fail if it is neither handled nor queued in time."""
        async with asyncio.timeout(PATIENCE):
            await self.session.receive(frame)

    async def send(self, action: str, payload: object = None, *, req_id: str | None = None) -> str:
        """Send a request and return its ``req_id``."""
        req_id = req_id or new_id()
        await self.raw(envelope(action, {} if payload is None else payload, req_id=req_id))
        return req_id

    async def read(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE):
            frame = await self.transport.next_frame()
        assert frame is not None, f"closed: {self.transport.close_code} {self.transport.close_reason}"
        return strict(frame)

    async def ask(self, action: str, payload: object = None) -> dict[str, Any]:
        """Send a request and return the next message."""
        await self.send(action, payload)
        return await self.read()

    async def end_of(self, req_id: str) -> dict[str, Any]:
        """Return the end of a request; what comes before is passed over."""
        while True:
            message = await self.read()
            if message.get("req_id") == req_id and message.get("event", "ws.complete") == "ws.complete":
                return message

    async def cut(self) -> tuple[int | None, str | None]:
        """Wait until the server closes the connection; return code and reason."""
        async with asyncio.timeout(PATIENCE):
            while await self.transport.next_frame() is not None:
                pass
        return self.transport.close_code, self.transport.close_reason

    async def leave(self, code: int = 1000, reason: str = "") -> None:
        """End the connection from this side, and wait until the server has let go of it."""
        self.session.closed(code, reason)
        async with asyncio.timeout(PATIENCE):
            await self.session.finished()

    async def settled(self) -> None:
        """Wait until all that comes before the first message is done: rooms are joined, ``on_connect`` has run."""
        await until(lambda: self.session._serial is None)

    async def arrived(self) -> list[dict[str, Any]]:
        """Return what was written and not read yet, with what is on its way."""
        async with asyncio.timeout(PATIENCE):
            await self.session._outbox.flushed()
        return self.unread()

    def unread(self) -> list[dict[str, Any]]:
        """Return what was written and not read yet."""
        return [strict(frame) for frame in self.transport.frames()]


def hub_of(registry: Registry | None = None, **options: Any) -> Hub:
    """Return a hub; by default one with nothing but the built-in actions."""
    return Hub(Settings.of({"registry": registry if registry is not None else Registry(), **options}))


async def opened(
    hub: Hub,
    subprotocols: tuple[str, ...] = PLAIN,
    *,
    path: str = "/ws/",
    transport: Callable[[ConnectionInfo], Any] = MemoryTransport,
    **admission: Any,
) -> Peer:
    """Connect; it is left to the test to let go."""
    info = ConnectionInfo(path=path, subprotocols=subprotocols)
    written = transport(info)
    admitted = await hub.admit(info, **admission)
    assert not isinstance(admitted, Denial), admitted
    return Peer(hub, hub.open(written, admitted), written)


@asynccontextmanager
async def peer(hub: Hub, subprotocols: tuple[str, ...] = PLAIN, **options: Any) -> AsyncIterator[Peer]:
    """Connect, with the ``ws.ready`` of a v1 connection read already; let go at the end."""
    connected = await opened(hub, subprotocols, **options)
    try:
        if subprotocols == V1:
            ready = await connected.read()
            assert ready["event"] == "ws.ready"
        yield connected
    finally:
        await connected.leave()


class Elsewhere:
    """A thread with an event loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> "Elsewhere":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def run(self, work: Awaitable[Any]) -> Any:
        """Await something there."""

        async def awaited() -> Any:
            return await work

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(awaited(), self.loop))


def envelope(action: str, payload: object = None, *, req_id: str | None = None, **members: object) -> str:
    """Return an action envelope as JSON text."""
    message: dict[str, object] = {"msg_id": new_id(), "req_id": req_id or new_id(), "action": action}
    if payload is not None:
        message["payload"] = payload
    return json.dumps({**message, **members})


def strict(frame: str | bytes) -> dict[str, Any]:
    """Read a message as RFC 8259 has it: no NaN, no Infinity, no key twice, valid Unicode."""
    text = frame if isinstance(frame, str) else frame.decode()
    text.encode()
    message = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    assert isinstance(message, dict)
    return message


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go round until something is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - whatever is waited for need not know of it
            await asyncio.sleep(0)


def _refuse_constant(name: str) -> object:
    raise AssertionError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    members = dict(pairs)
    assert len(members) == len(pairs), f"a key came twice: {[key for key, _ in pairs]}"
    return members
