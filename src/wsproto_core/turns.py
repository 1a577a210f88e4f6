"""Taking turns: what of a connection runs, what waits for it, and how what runs is stopped.

Messages of a connection run one at a time, in the order in which they came, unless their action may run beside others.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from enum import Enum, auto
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from wsproto_core.decoding import Rejected
from wsproto_core.dispatcher import Call, stopped
from wsproto_core.problems import Problem
from wsproto_core.tasks import start_eagerly

if TYPE_CHECKING:
    from wsproto_core.admission import Gate
    from wsproto_core.hub import Hub
    from wsproto_core.outbox import Outbox
    from wsproto_core.transport import Surroundings

__all__ = ["BURST_FRAMES", "BURST_SECONDS", "Life", "Turns", "wait_for_tasks"]

log = logging.getLogger("wsproto_core.session")

# The reader gives way after so many frames, or so many seconds, of work that never waited.
BURST_FRAMES: Final = 32
BURST_SECONDS: Final = 0.005
# A handler that was stopped has so many seconds to clean up before its end is sent without it.
_STOP_GRACE: Final = 1.0
_MOST_CANCELS: Final = 32  # of one connection that pass the queue at the same time


class Life(Enum):
    """Whether a connection takes messages, is being closed, or has ended."""

    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


class Turns:
    """The calls of one connection; the part of a `Session` that knows nothing of how frames come and go.

    A part, and no object of its own: an idle connection is to cost as little memory as it can.

    Attributes:
        hub: that the connection belongs to.
        id: of the connection.
        surroundings: what handlers find around them.
    """

    __slots__ = (
        "_abandoned", "_beside", "_gate", "_held", "_inbox", "_inbox_bytes", "_life", "_loop", "_outbox",
        "_requests", "_room", "_serial", "hub", "id", "surroundings",
    )  # fmt: skip

    # Set by the session.
    hub: Hub
    id: str
    surroundings: Surroundings
    _gate: Gate
    _life: Life
    _loop: asyncio.AbstractEventLoop
    _outbox: Outbox
    _requests: dict[str, Call] | None

    def __init__(self) -> None:
        self._serial: Call | asyncio.Task[Any] | None = None
        self._beside: dict[str, list[Call]] | None = None
        self._held: Call | None = None
        self._abandoned: set[Call] | None = None
        self._inbox: deque[tuple[str | bytes | Call, int]] | None = None
        self._inbox_bytes = 0
        self._room: asyncio.Future[None] | None = None

    @abstractmethod
    async def end(self, call: Call, problem: Problem | None) -> None:
        """Send the end of a call."""
        ...

    @abstractmethod
    def _decode(self, frame: str | bytes) -> Call:
        """Return the call that a frame asks for."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether a message of the client is being handled."""
        return self._serial is not None or bool(self._beside)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something before the first message, in its place in the order."""
        context = self.surroundings.context
        task = start_eagerly(work, self._loop, context and context.copy())
        if not task.done():  # pragma: no branch - it never is on Python 3.11, which has no eager tasks
            self._serial = task
            task.add_done_callback(self._started)

    def cancel_request(self, req_id: str) -> None:
        """Stop a request of this connection, queued or running (protocol section 6)."""
        call = (self._requests or {}).get(req_id)
        if call is not None and call.action.name != "ws.cancel":
            self._stop(call, "cancelled")

    async def settle(self, timeout: float | None) -> None:
        """Let what runs come to its end; after so many seconds stop it, with the problem ``unavailable``."""
        try:
            async with asyncio.timeout(timeout):
                await self._emptied()
        except TimeoutError:
            self._stop_all("unavailable")
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_GRACE):
                    await self._emptied()

    async def _emptied(self) -> None:
        """Wait until nothing runs and nothing waits."""
        while self._life is Life.OPEN and ((tasks := self._tasks()) or self._is_occupied()):
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            else:  # pragma: no cover - on Python 3.11, which has no eager tasks, what runs is always a task
                # The next ones begin when the loop comes round.
                await asyncio.sleep(0)

    def _may_cancel(self) -> bool:
        """Say whether a cancel may pass the queue; those of a client that does not read wait like all else."""
        return len((self._beside or {}).get("ws.cancel", ())) < _MOST_CANCELS

    def _is_occupied(self) -> bool:
        """Say whether something comes before a message that is taken now."""
        return self._serial is not None or self._held is not None or bool(self._inbox)

    async def _queue(self, item: str | bytes | Call, size: int) -> None:
        limits = self.hub.limits
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append((item, size))
        self._inbox_bytes += size
        while (
            self._inbox is not None
            and (len(self._inbox) >= limits.inbox or self._inbox_bytes > limits.inbox_bytes)
            and self._life is Life.OPEN
        ):
            if self._room is None:
                self._room = self._loop.create_future()
            await asyncio.shield(self._room)

    def _wake_reader(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def _advance(self) -> None:
        """Begin what waits, until something has to be waited for."""
        began = 0
        started = perf_counter()
        while self._serial is None and self._life is Life.OPEN and self._begin_next():
            began += 1
            if began >= BURST_FRAMES or perf_counter() - started > BURST_SECONDS:
                self._loop.call_soon(self._advance)
                break
        self._wake_reader()

    def _begin_next(self) -> bool:
        """Begin what waits longest; say whether that was possible."""
        held, self._held = self._held, None
        if held is not None:
            self._begin(held)
        elif self._inbox:
            item, size = self._inbox.popleft()
            self._inbox_bytes -= size
            self._begin(item if isinstance(item, Call) else self._decode(item))
        else:
            return False
        return self._held is None

    def _begin(self, call: Call) -> None:
        if call.rejected is not None:
            self._launch(call, beside=False)
        elif call.stop_reason is not None:
            self._refuse(call, Problem("The request was cancelled.", code="cancelled"))
        elif self._gate.closed and call.action.name != "health":
            self._refuse(call, Problem("The server is going away; connect again.", code="unavailable"))
        elif call.action.concurrency > 1:
            running = (self._beside or {}).get(call.action.name, ())
            if len(running) >= call.action.concurrency:
                self._held = call
                return
            self._launch(call, beside=True)
        else:
            self._launch(call, beside=False)

    def _refuse(self, call: Call, problem: Problem) -> None:
        call.reject(Rejected(problem, call.req_id))
        self._launch(call, beside=False)

    def _accept_request(self, call: Call, requests: dict[str, Call]) -> Call:
        """Note a request of a client that opted in to section 5; refuse one whose id is in flight."""
        if call.rejected is None and call.req_id is not None:
            if call.req_id in requests:
                problem = Problem("A request with this req_id is in flight; use a new one.", code="conflict")
                call.reject(Rejected(problem, call.req_id))
            else:
                requests[call.req_id] = call
        return call

    def _launch(self, call: Call, *, beside: bool) -> None:
        outbox = self._outbox
        outbox.eager = True
        context = self.surroundings.context
        task = start_eagerly(self.hub.dispatcher.run(call), self._loop, context and context.copy())
        outbox.eager = False
        if task.done():  # pragma: no cover - it never is on Python 3.11, which has no eager tasks
            if self._requests:
                self._ended(call)
            return
        if outbox.writing:
            outbox.watch()
        call.task = task
        if beside:
            if self._beside is None:
                self._beside = {}
            self._beside.setdefault(call.action.name, []).append(call)
        else:
            self._serial = call
        if call.rejected is None:
            timeout = call.action.timeout
            if timeout is None:
                timeout = self.hub.limits.action_timeout
            if timeout is not None and timeout < 1e9:
                call.deadline = self._loop.call_later(timeout, self._stop, call, "action_timeout")
        task.add_done_callback(lambda _: self._call_done(call))

    def _call_done(self, call: Call) -> None:
        if call.deadline is not None:
            call.deadline.cancel()
        if self._abandoned is not None:
            self._abandoned.discard(call)
        if not call.ended and call.stop_reason is not None and self._life is Life.OPEN:
            # It was cancelled where it could not say so itself: before it began, or while an exception was handled.
            call.ended = True
            self.hub.background(self.end(call, stopped(call)), self._loop, eagerly=True)
        self._ended(call)
        self._release(call)

    def _ended(self, call: Call) -> None:
        if self._requests and call.req_id is not None and self._requests.get(call.req_id) is call:
            del self._requests[call.req_id]

    def _release(self, call: Call) -> None:
        """Give a call's place in the order to the next."""
        if self._serial is call:
            self._serial = None
        elif self._beside is not None:
            calls = self._beside.get(call.action.name, [])
            if call in calls:
                calls.remove(call)
            if not calls:
                self._beside.pop(call.action.name, None)
        self._advance()

    def _started(self, _: asyncio.Task[Any]) -> None:
        self._serial = None
        self._advance()

    def _stop(self, call: Call, reason: str) -> None:
        if reason == "disconnect":
            call.stop(reason)
        elif not call.ended and call.stop_reason is None:
            call.stop(reason)
            if call.task is not None:
                self._loop.call_later(_STOP_GRACE, self._abandon, call)

    def _abandon(self, call: Call) -> None:
        """Send the end of a call whose handler does not let itself be stopped, and go on without it."""
        if call.ended or self._life is not Life.OPEN:
            return
        call.ended = True
        log.warning("action %r of connection %s does not let itself be cancelled", call.action.name, self.id)
        if self._abandoned is None:
            self._abandoned = set()
        self._abandoned.add(call)
        # Begun now, so that it comes before the answer to the next message.
        self.hub.background(self.end(call, stopped(call)), self._loop, eagerly=True)
        self._ended(call)
        self._release(call)

    def _calls(self) -> list[Call]:
        calls = [call for calls in (self._beside or {}).values() for call in calls]
        return [*calls, self._serial] if isinstance(self._serial, Call) else calls

    def _tasks(self) -> list[asyncio.Task[Any]]:
        tasks: list[asyncio.Task[Any]] = [call.task for call in self._calls() if call.task is not None]
        if isinstance(self._serial, asyncio.Task):
            tasks.append(self._serial)
        return tasks

    def _stop_all(self, reason: str) -> list[asyncio.Task[Any]]:
        tasks = self._tasks()
        for call in self._calls():
            self._stop(call, reason)
        if reason == "disconnect":
            for call in self._abandoned or ():
                call.stop(reason)
            if isinstance(self._serial, asyncio.Task):
                self._serial.cancel()
        return tasks


async def wait_for_tasks(tasks: list[asyncio.Task[Any]], seconds: float) -> None:
    """Wait until some tasks are done, for so many seconds at most."""
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
