from typing import Any

import pytest

from wsproto_core.dispatcher import Call
from wsproto_core.middleware import Middleware, Next, chain


def noting(notes: list[str], name: str) -> Middleware:
    async def note(call: Call, next: Next) -> int:
        notes.append(f"{name} before")
        emitted = await next(call)
        notes.append(f"{name} after")
        return emitted + 1

    return note


async def handler(call: Any) -> int:
    call.append("handler")
    return 40


async def test_the_first_middleware_is_outermost_and_sees_how_many_events_there_were() -> None:
    call: Any = []
    run = chain([noting(call, "outer"), noting(call, "inner")], handler)
    assert await run(call) == 42
    assert call == ["outer before", "inner before", "handler", "inner after", "outer after"]


async def test_without_middlewares_the_handler_runs_alone() -> None:
    assert chain([], handler) is handler


async def test_a_middleware_may_stop_the_call() -> None:
    async def stop(call: Call, next: Next) -> int:
        return 0

    call: Any = []
    assert await chain([stop, noting(call, "inner")], handler)(call) == 0
    assert call == []


async def test_what_a_middleware_raises_goes_through_those_around_it() -> None:
    async def fail(call: Call, next: Next) -> int:
        raise LookupError("no")

    call: Any = []
    with pytest.raises(LookupError, match="no"):
        await chain([noting(call, "outer"), fail], handler)(call)
    assert call == ["outer before"]
