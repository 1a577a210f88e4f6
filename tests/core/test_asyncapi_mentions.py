import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wsproto_core import Problem, ProblemType, problems
from wsproto_core.asyncapi import mentions
from wsproto_core.asyncapi.mentions import mentioned, problems_mentioned, serves_socket, serving, texts_in


class RoomFull(Problem):
    """All seats are taken."""

    status, code, title = 409, "room_full", "Room is full"


class Base(Problem):
    status = 403


class Impossible(Problem):
    status, code = 200, "fine"


def refuse() -> None:
    raise RoomFull


async def written() -> None:
    raise Problem("no", status=418, code="teapot", title="Teapot", retryable=True)


def through_a_module() -> None:
    raise problems.Problem(status=410, code="gone_away")


def by_a_name(name: str) -> None:
    raise Problem(code=name, status=409)


def nonsense() -> None:
    raise Problem(status=200, code="fine")


def a_base() -> None:
    raise Base


def impossible() -> None:
    raise Impossible


def deep() -> None:
    middle()


def middle() -> None:
    inner = functools.partial(refuse)
    inner()
    deep()


def decorated(function: Callable[[], None]) -> Callable[[], None]:
    def wrapper() -> None:
        function()

    return wrapper


def far() -> None:
    further()


def further() -> None:
    still_further()


def still_further() -> None:
    deep()


class WithMethod:
    def __call__(self) -> None:
        refuse()

    def method(self) -> None:
        refuse()


FULL = ProblemType("room_full", 409, "room-full", "Room is full", description="All seats are taken.")


@pytest.mark.parametrize(
    "function",
    [refuse, deep, functools.partial(refuse), decorated(refuse), WithMethod(), WithMethod().method],
    ids=["itself", "what it calls", "partial", "decorated", "object", "method"],
)
def test_a_class_of_problems_is_found_wherever_it_is_mentioned(function: Any) -> None:
    assert problems_mentioned(function) == [FULL]


def test_a_wrapped_function_is_looked_at_in_place_of_its_wrapper() -> None:
    @functools.wraps(refuse)
    def wrapper() -> None: ...

    assert problems_mentioned(wrapper) == [FULL]


def test_what_is_written_in_so_many_words_is_found() -> None:
    assert problems_mentioned(written) == [ProblemType("teapot", 418, "teapot", "Teapot", retryable=True)]
    assert problems_mentioned(through_a_module) == [ProblemType("gone_away", 410, "gone-away", "Gone")]


def test_nobody_looks_into_all_that_is_called() -> None:
    assert problems_mentioned(still_further) == [FULL]
    assert problems_mentioned(far) == []


@pytest.mark.parametrize("function", [by_a_name, nonsense, len, 5, None, a_base, impossible])
def test_what_cannot_be_told_is_left_out(function: Any) -> None:
    assert problems_mentioned(function) == []


def test_a_function_without_a_source_has_nothing_written() -> None:
    names: dict[str, Any] = {"Problem": Problem, "__name__": __name__}
    exec("def made():\n    raise Problem(status=409, code='made')", names)
    assert problems_mentioned(names["made"]) == []


def test_what_is_enclosed_may_not_be_there_yet() -> None:
    def outer() -> Callable[[], object]:
        def inner() -> object:
            return later

        if sys.maxsize < 0:
            later = 1
        return inner

    assert [values for _, values in mentioned(outer())] == [[]]


def test_functions_of_other_packages_are_not_followed() -> None:
    found = [function.__module__ for function, _ in mentioned(texts_of_ours)]
    assert set(found) == {__name__}


def texts_of_ours() -> object:
    return problems_mentioned(refuse) if mentions else None


def test_the_texts_of_a_function_are_its_constants_and_names() -> None:
    def function(info: Any) -> bool:
        return info.source in {"bearer", "basic"} and (lambda: info.cookies)

    assert {"bearer", "basic", "source", "cookies"} <= texts_in(function)


@serving
async def handle() -> None: ...


class Endpoint:
    name = "endpoint"

    async def on_connect(self) -> None:
        await handle()


def test_a_route_that_serves_a_socket_is_known() -> None:
    async def route() -> None:
        await handle()

    assert serves_socket(route)
    assert serves_socket(Endpoint)
    assert not serves_socket(refuse)
    assert not serves_socket(WithMethod)
