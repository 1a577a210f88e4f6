"""The pipeline: from a decoded message over its handler to its events and its end.

Everything that goes wrong on the way becomes one problem for the client, and the connection lives.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future as ThreadFuture
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel
from pydantic_core import from_json

from wsproto_core.context import ActionContext
from wsproto_core.decoding import Rejected
from wsproto_core.envelopes import ActionEnvelope
from wsproto_core.errors import HandlerSignatureError, InvalidTopicError
from wsproto_core.events import NOWHERE, Emittable, Event, as_audiences, is_event, target_of
from wsproto_core.handlers import HandlerForm, positional_count
from wsproto_core.ids import new_id
from wsproto_core.middleware import Next, chain
from wsproto_core.problems import Problem
from wsproto_core.recipients import Audience, SupportsAudience
from wsproto_core.tasks import is_from_outside, start_eagerly

if TYPE_CHECKING:
    from wsproto_core.hub import Hub
    from wsproto_core.session import Session
    from wsproto_core.specs import ActionSpec

__all__ = ["Call", "Dispatcher", "stopped"]

log = logging.getLogger("wsproto_core.dispatcher")

_BURST_EVENTS: Final = 32  # that are written at once, without a turn of the loop; then others get theirs
_THREAD_GRACE = 5.0  # seconds that a connection's next message waits for a thread that was stopped


class Call:
    """One message on its way through the pipeline; what a middleware sees.

    Attributes:
        action: the action that it calls.
        session: the connection that it came from.
        msg_id: names the message; made by the server when the client left it out.
        req_id: the client's request; None when the client left it out.
        payload: validated.
        events: how many events were queued for the asker so far.
        ended: whether its end was sent; what is emitted later is dropped.
        rejected: why the message is none, if it is none.
    """

    # Defaults of the class instead of assignments: a Call is made for each message, and few need them.
    action: ActionSpec
    msg_id: str | None = None
    req_id: str | None = None
    payload: Any = None
    events: int = 0
    ended: bool = False
    burst: int = 0
    sending: bool = False
    stop_reason: str | None = None
    rejected: Rejected | None = None
    task: asyncio.Task[None] | None = None
    deadline: asyncio.TimerHandle | None = None
    thread: ThreadFuture[Any] | None = None

    def __init__(self, session: Session, raw: bytes) -> None:
        self.session = session
        self._raw = raw

    @property
    def hub(self) -> Hub:
        """The hub of the connection."""
        return self.session.hub

    @property
    def context(self) -> ActionContext[Any]:
        """The context that the handler gets."""
        # Not kept: the call would hold the context and the context the call, a cycle for each message that only the
        # garbage collector could undo.
        return ActionContext(self.session, self)

    @property
    def envelope(self) -> ActionEnvelope:
        """The message as it came, with its payload as plain JSON values."""
        document = from_json(self._raw)
        return ActionEnvelope(
            msg_id=cast("str", self.msg_id),
            req_id=self.req_id,
            action=self.action.name,
            payload=document.get("payload", {}),
        )

    async def emit(
        self,
        event: Event | Emittable,
        to: Audience | SupportsAudience | Iterable[Audience | SupportsAudience] | None = None,
    ) -> int:
        """Emit an event in answer to this message; see `ActionContext.emit`.

        Whoever gives up waiting for it does not take it back: it has its number, and is written whole.
        """
        task = start_eagerly(self._emit(event, to), self.session.loop)
        if not task.done():  # pragma: no branch - it never is on Python 3.11, which has no eager tasks
            return await asyncio.shield(task)
        return await self._take_turns(task.result())  # pragma: no cover - as above

    async def _take_turns(self, reached: int) -> int:  # pragma: no cover - as above
        """Let the other connections have their turn, now and then: a client that reads keeps nobody waiting."""
        self.burst += 1
        if self.burst >= _BURST_EVENTS:
            self.burst = 0
            await asyncio.sleep(0)
        return reached

    async def _emit(
        self,
        event: Event | Emittable,
        to: Audience | SupportsAudience | Iterable[Audience | SupportsAudience] | None,
    ) -> int:
        if self.ended:
            return 0
        if to is None and is_event(event) and target_of(event) is NOWHERE:
            await self.session.answer_event(event, self)
            return 1
        return await self.session.hub.fanout.route(event, as_audiences(to), asker=self)

    def stop(self, reason: str) -> None:
        """Stop what runs for this call.

        Args:
            reason: the code of the problem that ends it, or ``disconnect``.
        """
        self.stop_reason = self.stop_reason or reason
        if self.task is None or (self.task.cancelling() and not self.ended):
            # What was cancelled already is left to clean up.
            return
        # A frame is written whole, or the numbering would have a hole; unless nobody is there to read it.
        if reason == "disconnect" or not self.sending:
            self.task.cancel()

    def reject(self, rejected: Rejected) -> None:
        """Note that the message is none, so that running the call only says so."""
        self.rejected = rejected
        self.req_id = rejected.req_id

    def __repr__(self) -> str:
        name = self.action.name if self.rejected is None else None
        return f"<Call {name!r} req_id={self.req_id}>"


class Dispatcher:
    """Runs calls: middlewares, authorisation, handler, events, end.

    Args:
        hub: whose registry and workers are used.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._registry = hub.registry
        self._chains: dict[str, tuple[int, ActionSpec, Next]] = {}

    async def run(self, call: Call) -> None:
        """Run one call to its end. Raises nothing but a cancellation that comes from outside."""
        problem: Problem | None = None
        try:
            if call.rejected is not None:
                problem = call.rejected.problem
            elif call.action.plain and call.session.authenticated and not self._registry.has_middlewares:
                # The usual handler and the usual answer, without the steps that the others need: each of them would
                # be one more coroutine for each message.
                result = await call.action.run(call)
                if result is not None:
                    if is_event(result) and target_of(result) is NOWHERE and not call.ended:
                        call.sending = True
                        await call.session.answer_event(result, call)
                    else:
                        await self._emit_result(call, result)
            else:
                await self._authorize(call)
                await self._chain_of(call.action)(call)
        except GeneratorExit:
            raise
        except BaseException as error:
            problem = await self._problem_of(call, error)
        if not call.ended:
            call.ended = True
            if call.stop_reason is not None:
                # Whatever the handler made of being stopped.
                problem = stopped(call)
            if problem is not None or call.session.negotiated:
                await call.session.end(call, problem)
        if call.thread is not None and not call.thread.done() and call.session.is_open:
            # It cannot be cancelled, and the connection's messages are to be handled one after the other.
            await asyncio.wait([asyncio.wrap_future(call.thread)], timeout=_THREAD_GRACE)

    def _chain_of(self, action: ActionSpec) -> Next:
        version = self._registry.version
        if not self._registry.has_middlewares and not action.middlewares:
            return self._handle
        known = self._chains.get(action.name)
        if known is None or known[0] != version or known[1] is not action:
            run = chain((*self._registry.middlewares, *action.middlewares), self._handle)
            known = self._chains[action.name] = (version, action, run)
        return known[2]

    async def _handle(self, call: Call) -> int:
        """Run the handler and emit what it gives; return how many events that were."""
        action = call.action
        form = action.signature.form
        if form is HandlerForm.COROUTINE:
            result = await action.run(call)
            return 0 if result is None else await self._emit_result(call, result)
        if form is HandlerForm.ASYNC_GENERATOR:
            return await self._emit_async(call, action.run(call))
        if not action.blocking:
            result = action.run(call)
            return 0 if result is None else await self._emit_result(call, result)
        return await self._run_in_worker(call)

    async def _emit_result(self, call: Call, result: Any) -> int:
        """Emit what a handler returned: an event, several, or something that gives them."""
        if is_event(result):
            await call.emit(result)
            return 1
        if inspect.isawaitable(result):
            result = await result
            return 0 if result is None else await self._emit_result(call, result)
        if isinstance(result, AsyncIterator):
            return await self._emit_async(call, result)
        if hasattr(result, "emit"):
            await call.emit(result)
            return 1
        if isinstance(result, Iterable) and not isinstance(result, (str, bytes, dict, BaseModel)):
            emitted = 0
            for event in result:
                await call.emit(_checked_event(call, event))
                emitted += 1
            return emitted
        raise _no_event(call, result)

    async def _emit_async(self, call: Call, events: AsyncIterator[Any]) -> int:
        emitted = 0
        try:
            async for event in events:
                await call.emit(_checked_event(call, event))
                emitted += 1
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(events, "aclose", None)
            if close is not None:
                await close()
        return emitted

    async def _run_in_worker(self, call: Call) -> int:
        """Run a plain function in a worker thread; what a generator yields is emitted as it comes."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        surroundings = call.session.surroundings
        around = surroundings.around
        emitted = 0

        def work() -> Any:
            nonlocal emitted
            with around():
                try:
                    result = call.action.run(call)
                except StopIteration as error:
                    # No future can carry one; a coroutine that raises one turns it into the same.
                    raise RuntimeError("the handler raised StopIteration") from error
                if not isinstance(result, Iterator):
                    return result
                for event in result:
                    if call.ended:
                        break
                    asyncio.run_coroutine_threadsafe(call.emit(_checked_event(call, event)), loop).result()
                    emitted += 1
                return None

        call.thread = (surroundings.executor or self._hub.workers).submit(context.run, work)
        result = await asyncio.wrap_future(call.thread)
        if result is None:
            return emitted
        return await self._emit_result(call, result)

    async def _authorize(self, call: Call) -> None:
        """Refuse who may not run this action."""
        session = call.session
        action = call.action
        if not session.authenticated and action.name not in {"health", "ws.authenticate"}:
            raise Problem("Send 'ws.authenticate' with a token first.", code="unauthenticated")
        requires = action.requires
        if requires is None:
            return
        if callable(requires):
            allowed = requires(call.context)
            if inspect.isawaitable(allowed):
                allowed = await allowed
        else:
            allowed = session.scopes.issuperset(requires)
        if not allowed:
            self._hub.security.message("forbidden", session, "action %r refused", action.name)
            if session.user_id is None:
                raise Problem(f"The action '{action.name}' needs a user.", code="unauthenticated")
            raise Problem(f"You may not use the action '{action.name}'.", code="forbidden")

    async def _problem_of(self, call: Call, error: BaseException) -> Problem:
        """Return what the client is told of an exception."""
        if isinstance(error, asyncio.CancelledError):
            if call.stop_reason is not None:
                return stopped(call)
            if is_from_outside(error):
                raise error
        if isinstance(error, Problem):
            return error
        handler = self._exception_handler(type(error))
        if handler is not None:
            try:
                arguments = (error, call.context)[: positional_count(handler)]
                problem = handler(*arguments)
                if inspect.isawaitable(problem):
                    problem = await problem
                if isinstance(problem, Problem):
                    return problem
                error = HandlerSignatureError(
                    f"The exception handler of {type(error).__name__} returned {type(problem).__name__}, not a Problem."
                )
            except BaseException as further:
                if is_from_outside(further):
                    raise
                error = further
        if isinstance(error, InvalidTopicError):
            # A name that the client gave, as in join(room(payload.room)): its mistake, not the server's.
            return Problem(str(error), code="invalid_payload")
        return self.internal_error(call, error)

    def internal_error(self, call: Call, error: BaseException, action: str | None = None) -> Problem:
        """Log an unforeseen exception, once, and return what the client is told: nothing but that there was one."""
        msg_id = new_id()
        session = call.session
        if action is None and hasattr(call, "action"):
            action = call.action.name
        log.error(
            "internal error in action %r: %s (connection %s, req_id %s, msg_id %s)",
            action,
            type(error).__name__,
            session.id,
            call.req_id,
            msg_id,
            exc_info=error,
            extra={"connection_id": session.id, "action": action, "req_id": call.req_id, "msg_id": msg_id},
        )
        problem = Problem("Something went wrong on the server.", code="internal_error")
        problem.msg_id = msg_id
        return problem

    def _exception_handler(self, error: type[BaseException]) -> Callable[..., Any] | None:
        handlers = self._registry.exception_handlers
        if handlers:
            for cls in error.__mro__:
                if cls in handlers:
                    return handlers[cls]
        return None


def stopped(call: Call) -> Problem:
    """Return the problem that ends a call which was stopped."""
    if call.stop_reason == "action_timeout":
        return Problem(f"The action '{call.action.name}' ran past its time limit.", code="action_timeout")
    if call.stop_reason == "unavailable":
        return Problem("The server is going away; connect again.", code="unavailable")
    return Problem("The request was cancelled.", code="cancelled")


def _checked_event(call: Call, event: Any) -> Event | Emittable:
    if is_event(event) or hasattr(event, "emit"):
        return cast("Event | Emittable", event)
    raise _no_event(call, event)


def _no_event(call: Call, value: object) -> TypeError:
    return TypeError(
        f"The action {call.action.name!r} gave {type(value).__name__}; it may give an Event, several, or None."
    )
