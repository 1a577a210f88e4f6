"""The chain around a handler: ``async (call, next)``.

A middleware sees the `Call` (action, payload, context, envelope) and decides whether and when to go on with
``await next(call)``, which returns the number of events that the handler emitted. What it raises becomes the end of
the action, as if the handler had raised it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsproto_core.dispatcher import Call

__all__ = ["Middleware", "Next", "chain"]

Next = Callable[["Call"], Awaitable[int]]
"""What a middleware goes on with: the next one, in the end the handler. Its result is how many events went out."""
Middleware = Callable[["Call", Next], Awaitable[int]]
"""What stands around the handlers: an async function that awaits the `Next` one once, or raises a `Problem`."""


def chain(middlewares: Sequence[Middleware], innermost: Next) -> Next:
    """Return one function that runs the middlewares around the innermost one, the first of them outermost."""
    run = innermost
    for middleware in reversed(middlewares):
        run = _around(middleware, run)
    return run


def _around(middleware: Middleware, following: Next) -> Next:
    def run(call: Call) -> Awaitable[int]:
        return middleware(call, following)

    return run
