"""A connection of a host that gives each one a thread: the thread reads, and runs what can be run without a loop.

A message for a plain function is decoded, handled and answered in the thread that read it, as long as nothing else
of the connection runs or waits. Everything else goes to the event loop, where the session lives as on any other host.
Order is kept because the thread hands over only in that direction, and is told by the loop itself when it may handle
messages again.

A handler that takes longer than a moment gets what it would have had on the loop: it is noticed by the watchdog, from
then on its time is limited, and the loop reads in the thread's place, so that a disconnect, a ``ws.cancel`` and pings
are seen while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError as ThreadCancelledError
from concurrent.futures import Future as ThreadFuture
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from wsproto_core.dispatcher import _THREAD_GRACE, Call, _checked_event, stopped
from wsproto_core.encoding import EncodedEvent, encode_payload, event_text, json_text
from wsproto_core.events import NOWHERE, Event, is_event, target_of
from wsproto_core.handlers import HandlerForm, form_of
from wsproto_core.ids import new_id
from wsproto_core.problems import Problem
from wsproto_core.queues import NO_ROOM
from wsproto_core.recipients import connection
from wsproto_core.session import _CLOSE_SECONDS, Session
from wsproto_core.tasks import NOTHING, Done, call_on, running_loop, start_eagerly
from wsproto_core.threaded_outbox import GONE, Closing, ThreadedOutbox, Writable
from wsproto_core.turns import Life
from wsproto_core.watchdog import INTERVAL, watchdog_of

if TYPE_CHECKING:
    from wsproto_core.admission import Admission
    from wsproto_core.hub import Hub
    from wsproto_core.transport import ConnectionInfo, Surroundings

__all__ = ["ThreadedSession", "ThreadedTransport"]

log = logging.getLogger("wsproto_core.session")

_T = TypeVar("_T")
_LOOKS: Final = 5
_PLAIN: Final = (HandlerForm.FUNCTION, HandlerForm.GENERATOR)


class ThreadedTransport(Writable, Protocol):
    """What a host with a thread per connection gives the core: it is read as well, by one thread at a time.

    Attributes:
        close_code, close_reason: how the connection ended, once `receive` has said that it did.
    """

    close_code: int
    close_reason: str

    @property
    def info(self) -> ConnectionInfo:
        """What the connection told about itself."""
        ...

    def receive(self, *, wait: bool) -> Sequence[str | bytes] | None:
        """Return the messages that have come, in order; None when the connection has ended.

        Args:
            wait: whether to wait for the first; otherwise there may be none.
        """
        ...


class ThreadedSession(Session):
    """One connection of such a host. Made by `Hub.open`; the host's thread calls `serve`.

    What `Session` says about the loop holds here too, with these differences: events may be pushed from any thread,
    and handlers that are plain functions run in the reader's thread, where they may block.
    """

    __slots__ = (
        "_busy", "_current", "_mine", "_pending", "_replies", "_seen", "_stand_in", "_threaded", "_threaded_outbox",
        "_wake", "_wants_back",
    )  # fmt: skip

    threadsafe = True

    def __init__(
        self,
        hub: Hub,
        transport: ThreadedTransport,
        admission: Admission,
        loop: asyncio.AbstractEventLoop,
        surroundings: Surroundings,
    ) -> None:
        super().__init__(hub, cast("Any", transport), admission, loop, surroundings)
        self._threaded = transport
        self._threaded_outbox = ThreadedOutbox(transport, hub.limits, self, loop)
        self._outbox = cast("Any", self._threaded_outbox)
        self._busy = watchdog_of(loop)
        self._pending: deque[str | bytes] = deque()
        self._current: Call | None = None
        self._seen: Call | None = None
        self._mine = False
        self._replies: SimpleQueue[Call | None] = SimpleQueue()
        self._stand_in: asyncio.Task[None] | None = None
        self._wants_back = False
        self._wake: asyncio.Future[None] | None = None

    # The host's thread

    def serve(self) -> None:
        """Read and handle until the connection has ended and nothing of it runs any more."""
        transport, pending = self._threaded, self._pending
        try:
            while self._life is not Life.CLOSED:
                frames = transport.receive(wait=True)
                if transport.due:
                    self._threaded_outbox.nudge()
                if frames is None:
                    break
                pending.extend(frames)
                while pending and self._life is Life.OPEN:
                    self._handle(pending.popleft())
                pending.clear()
        finally:
            self._wait(self._leave())
            self._threaded_outbox.released()

    def _handle(self, frame: str | bytes) -> None:
        """Handle one message here, or give it to the loop."""
        if self._mine and self._is_short(frame):
            call: Call | None = self._decode_new(frame)
        else:
            call = self._offer(frame)
        if call is None:
            return
        if not self._is_for_threads(call):
            self._offer(call)
            return
        self._current = call
        self._busy.begin(self)
        context = self.surroundings.context
        try:
            if context is None:
                self._run(call)
            else:
                context.copy().run(self._run, call)
        finally:
            self._busy.end(self)
            with self._threaded_outbox.lock:
                self._current = self._seen = None
                thread = call.thread
            if thread is not None:
                self._mine = False
                thread.set_result(None)
                if call_on(self._loop, self._give_back):
                    self._replies.get()

    def _decode_new(self, frame: str | bytes) -> Call:
        """Decode a message that has just come, unless its client sends too much; see `Session.receive`."""
        now = perf_counter()
        if self._lifetime is not None:
            self._lifetime.heard = now
        limited = self._limited(frame, self._bucket, now) if self._bucket is not None else None
        return self._decode(frame) if limited is None else limited

    def _is_short(self, frame: str | bytes) -> bool:
        return len(frame) <= self._surely_short or not self._is_too_long(frame)

    def _is_for_threads(self, call: Call) -> bool:
        if call.rejected is not None:
            return True
        action = call.action
        return (
            action.signature.form in _PLAIN
            and action.blocking
            and action.concurrency == 1
            and not action.middlewares
            and not self.hub.registry.has_middlewares
            and not self._gate.closed
            and not (self._requests and call.req_id in self._requests)
        )

    def _offer(self, item: str | bytes | Call) -> Call | None:
        """Give a message to the loop; it comes back, decoded, if this thread can handle it."""
        if not call_on(self._loop, self._take_over, item):
            raise ConnectionError("the event loop has ended")
        return self._replies.get()

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, call: Call) -> None:
        """Run one call to its end, as `Dispatcher.run` does on the loop."""
        problem: Problem | None = None
        if call.rejected is not None:
            problem = call.rejected.problem
        else:
            try:
                with self.surroundings.around():
                    self._authorize(call)
                    self._emit_result(call, call.action.run(call))
            except BaseException as error:
                problem = self._problem_of(call, error)
        with self._threaded_outbox.lock:
            if call.ended:
                return
            call.ended = True
        if call.stop_reason is not None:
            problem = stopped(call)
        if problem is not None:
            text = self._problem_text(problem, call)
            self._answer_here(lambda _: text, numbered=False)
        elif self.negotiated:
            self._answer_here(lambda seq: self._complete_text(seq, call))

    def _authorize(self, call: Call) -> None:
        requires = call.action.requires
        if requires is not None or not self.authenticated:
            work = self.hub.dispatcher._authorize(call)
            if callable(requires) and form_of(requires) is not HandlerForm.FUNCTION:
                self._wait(work)
            else:
                _run_to_end(work)

    def _emit_result(self, call: Call, result: Any) -> None:
        if result is None:
            return
        if is_event(result):
            self._emit(call, result)
        elif isinstance(result, (list, tuple, Iterator)):
            for event in result:
                if call.ended:
                    break
                self._emit(call, _checked_event(call, event))
        else:
            self._wait(self.hub.dispatcher._emit_result(call, result))

    def _emit(self, call: Call, event: Any) -> None:
        if is_event(event) and target_of(event) is NOWHERE:
            self._answer_event_here(event, call)
        else:
            self._wait(call.emit(event))

    def _answer_event_here(self, event: Event, call: Call) -> None:
        name, payload, msg_id = event.event_name, encode_payload(event), new_id()
        self._observe(msg_id, name, payload)
        members = self._own_members or self.own_members

        def text(seq: int) -> str:
            call.events += 1
            return event_text(msg_id, json_text(name), payload, seq, members, call.req_id)

        self._answer_here(text, call)

    def _answer_here(self, text: Callable[[int], str], call: Call | None = None, *, numbered: bool = True) -> None:
        """Write an answer, and wait for the client that is to read it; nothing after the end of the call."""
        outbox = self._threaded_outbox
        with outbox.lock:
            if self._life is not Life.OPEN or (call is not None and call.ended):
                return
            frame = self._codec.encode(text(self._seq + numbered))
            self._seq += numbered
            mine = outbox.place(frame)
        outbox.answer_here(frame, mine)

    def _problem_text(self, problem: Problem, call: Call) -> str:
        try:
            text = self.hub.problem_text(problem, self.info, call.req_id)
            self._codec.encode(text)  # only to see that it can be
            return text
        except Exception as error:
            internal = self.hub.dispatcher.internal_error(call, error)
            return self.hub.problem_text(internal, self.info, call.req_id)

    def _problem_of(self, call: Call, error: BaseException) -> Problem:
        if isinstance(error, Problem):
            return error
        if call.stop_reason is not None and isinstance(error, (asyncio.CancelledError, ThreadCancelledError)):
            return stopped(call)
        return self._wait(self.hub.dispatcher._problem_of(call, error))

    # Any thread

    def answer(self, event: EncodedEvent, recipient: str, req_id: str | None = None) -> Awaitable[None]:
        """Send an event that this connection asked for; see `Session.answer`."""
        return self._answer(lambda seq: event.text(seq, recipient, req_id))

    def answer_event(self, event: Event, call: Call) -> Awaitable[None]:
        """Send the event that a call answers with to the asker alone; see `Session.answer_event`."""
        name, payload, msg_id = event.event_name, encode_payload(event), new_id()
        self._observe(msg_id, name, payload)
        call.events += 1
        members = self._own_members or self.own_members
        return self._answer(lambda seq: event_text(msg_id, json_text(name), payload, seq, members, call.req_id))

    async def end(self, call: Call, problem: Problem | None) -> None:
        """Send the end of a call; see `Session.end`."""
        if problem is not None:
            await super().end(call, problem)
        else:
            await self._answer(lambda seq: self._complete_text(seq, call))

    def push(self, event: EncodedEvent, recipient: str) -> bool:
        """Send an event that comes from elsewhere, from any thread; say whether it was queued."""
        outbox = self._threaded_outbox
        with outbox.lock:
            if self._life is not Life.OPEN:
                return False
            frame = self._encode_pushed(event, recipient)
            if frame is None:
                return False
            placed = outbox.place_pushed(frame, event.key)
            # What is lost has its number too, so that the client sees it.
            self._seq += placed is not NO_ROOM and placed is not GONE
        return outbox.pushed(frame, placed)

    @property
    def is_busy(self) -> bool:
        """Whether a message of the client is being handled, in whatever thread."""
        return self._current is not None or super().is_busy

    def bridge(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Return the work to be awaited; in a thread that has no loop, do it, and return what is done."""
        return work if running_loop() is not None else Done(self._wait(work))

    def nudge(self) -> None:
        """Have the transport write what is due, from any thread; see `Writable`."""
        self._threaded_outbox.nudge()

    def wake_reader(self) -> None:
        """Have the transport asked for messages again, from any thread, where it is the loop that reads."""
        call_on(self._loop, self._awake)

    def look(self) -> None:
        """Notice a handler that takes long; see `Watched`."""
        call = self._current
        if call is not None and call is self._seen:
            self._promote(call)
        self._seen = call

    def _answer(self, text: Callable[[int], str]) -> Awaitable[None]:
        outbox = self._threaded_outbox
        with outbox.lock:
            if self._life is not Life.OPEN:
                return NOTHING
            frame = self._codec.encode(text(self._seq + 1))
            self._seq += 1
            mine = outbox.place(frame)
        return outbox.answered(frame, mine)

    def _complete_text(self, seq: int, call: Call) -> str:
        payload = f'{{"events":{call.events}}}'
        return event_text(new_id(), '"ws.complete"', payload, seq, self.own_members, call.req_id)

    def _observe(self, msg_id: str, name: str, payload: str) -> None:
        fanout = self.hub.fanout
        if fanout.observers:
            fanout.observe(EncodedEvent(msg_id, name, payload), (connection(self.id),))

    # The loop

    async def settle(self, timeout: float | None) -> None:
        """Let what runs come to its end; see `Session.settle`."""
        call = self._current
        if call is not None:
            self._promote(call)
        await super().settle(timeout)

    def _take_over(self, item: str | bytes | Call, looks: int = 0) -> None:
        """Take a message from the thread, or give it back decoded when nothing keeps the thread from handling it."""
        if looks < _LOOKS and self._is_occupied():
            # The answer to the last message may be out while its task still ends. Who waits for each answer before the
            # next question would have all of them handled here, the slow way.
            self._loop.call_soon(self._take_over, item, looks + 1)
            return
        if not isinstance(item, Call) and not self._is_occupied() and self._is_short(item):
            item = self._decode_new(item)
            if self._is_for_threads(item):
                self._mine = True
                self._replies.put(item)
                return
        work = self._receive_call(item) if isinstance(item, Call) else self.receive(item)
        task = start_eagerly(work, self._loop)
        if task.done():  # pragma: no cover - it never is on Python 3.11, which has no eager tasks
            self._taken(task)
        else:
            task.add_done_callback(self._taken)

    async def _receive_call(self, call: Call) -> None:
        """Take a message that is decoded already; see `Session.receive`."""
        if self._requests is not None:
            call = self._accept_request(call, self._requests)
        if call.rejected is None and call.action.name == "ws.cancel" and self._may_cancel():
            self._launch(call, beside=True)
        else:
            # It comes decoded only when nothing else runs.
            self._begin(call)

    def _taken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("connection %s could not take a message", self.id, exc_info=task.exception())
        self._mine = not self._is_occupied()
        self._replies.put(None)

    def _promote(self, call: Call) -> None:
        """Treat a call that runs in the thread like one of the loop's own, and read in the thread's place."""
        with self._threaded_outbox.lock:
            if self._current is not call or call.thread is not None:
                return
            call.thread = ThreadFuture()
        if self._requests is not None and call.rejected is None:
            self._accept_request(call, self._requests)
        self._serial = call
        call.task = self._loop.create_task(self._follow(call, call.thread))
        call.task.add_done_callback(lambda _: self._call_done(call))
        timeout = call.action.timeout if call.rejected is None else math.inf
        if timeout is None:
            timeout = self.hub.limits.action_timeout
        if timeout is not None and timeout < math.inf:
            call.deadline = self._loop.call_later(max(0.0, timeout - 2 * INTERVAL), self._stop, call, "action_timeout")
        self._wants_back = False
        self._stand_in = self._loop.create_task(self._read())
        self._stand_in.add_done_callback(self._read_enough)

    async def _follow(self, call: Call, thread: ThreadFuture[None]) -> None:
        """Wait for a call that runs in the thread; if it is to stop before, send its end at once."""
        ended = asyncio.wrap_future(thread)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            with self._threaded_outbox.lock:
                late, call.ended = call.ended, True
            if not late and call.stop_reason is not None:
                await self.end(call, stopped(call))
            # It cannot be cancelled, and the connection's messages are to be handled one after the other.
            await asyncio.wait([ended], timeout=_THREAD_GRACE)

    async def _read(self) -> None:
        """Read while the thread is busy. What it had read already comes first."""
        transport, pending = self._threaded, self._pending
        while True:
            while pending:
                await self.receive(pending.popleft())
            if self._wants_back:
                return
            frames = transport.receive(wait=False)
            if transport.due:
                self._threaded_outbox.nudge()
            if frames is None:
                self.closed(transport.close_code, transport.close_reason)
                return
            pending.extend(frames)
            if not frames:
                await self._readable()

    async def _readable(self) -> None:
        self._wake = self._loop.create_future()
        descriptor = self._threaded.fileno()
        self._loop.add_reader(descriptor, self._awake)
        try:
            await self._wake
        finally:
            self._loop.remove_reader(descriptor)

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _read_enough(self, task: asyncio.Task[None]) -> None:
        self._stand_in = None
        if not task.cancelled() and task.exception() is not None:
            log.error("connection %s could not be read", self.id, exc_info=task.exception())
        if self._wants_back:
            self._replies.put(None)

    def _give_back(self) -> None:
        """Let the thread read again, once the loop has stopped reading."""
        if self._stand_in is None:
            self._replies.put(None)
        else:
            self._wants_back = True
            self._awake()

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._threaded_outbox.flushed()
        except TimeoutError:
            log.debug("connection %s did not read its last messages", self.id)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._threaded_outbox.finish(Closing(code, reason))
                await self.gone(_CLOSE_SECONDS)
        except TimeoutError:
            log.debug("connection %s does not read its close frame", self.id)
        self._threaded.drop()

    async def _leave(self) -> None:
        """Let the connection go, once its thread has stopped reading."""
        self.closed(self._threaded.close_code, self._threaded.close_reason)
        await self.finished()
        self._threaded_outbox.release()


def _run_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("_T", done.value)
    work.close()
    raise RuntimeError("A function that is not async gave something to wait for; make it an async function.")
