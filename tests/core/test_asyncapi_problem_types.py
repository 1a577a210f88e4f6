import pytest

from wsproto_core import ActionContext, Call, ConfigurationError, Next, Problem, ProblemType, Registry, Settings, Topic
from wsproto_core.asyncapi.problem_types import ProblemTypes
from wsproto_core.problems import PROBLEM_TYPES


class Full(Problem):
    status, code = 409, "full"


class Late(Problem):
    status, code = 409, "late"


class Closed(Problem):
    status, code = 409, "closed"


GONE = ProblemType("gone", 410, "gone", "It is gone")


def kinds_of(registry: Registry, **options: object) -> ProblemTypes:
    return ProblemTypes(registry, Settings(registry=registry, **options), registry.actions)  # type: ignore[arg-type]


def test_an_application_that_declares_none_has_the_protocols_own(registry: Registry) -> None:
    kinds = kinds_of(registry)
    assert kinds.all == tuple(PROBLEM_TYPES.values())
    assert kinds.own == ()


def test_they_are_found_wherever_an_application_tells_them(registry: Registry) -> None:
    @registry.action("join", problems=[GONE])
    async def join() -> None:
        raise Full

    @registry.action("say")
    async def say() -> None: ...

    @registry.middleware
    async def timing(call: Call, next: Next) -> None:
        raise Late

    def authenticate(info: object) -> int:
        raise Closed

    class Discussion(Topic, pattern="discussion/{pk}", registry=registry):
        pk: int

        def authorize(self, context: ActionContext) -> bool:
            raise Problem(status=418, code="teapot")

    registry.add_problem(ProblemType("other", 400, "other", "Other"))
    kinds = kinds_of(registry, authenticate=authenticate)
    assert [kind.code for kind in kinds.own] == ["closed", "full", "gone", "late", "other", "teapot"]
    assert [kind.code for kind in kinds.of("join")] == ["full", "gone", "late"]
    assert [kind.code for kind in kinds.of("say")] == ["late"]


def test_of_two_that_differ_in_words_the_one_that_says_more_counts(registry: Registry) -> None:
    said = ProblemType("gone", 410, "gone", "It is gone", description="For ever.")
    later = ProblemType("gone", 410, "gone", "It is gone", retryable=True)
    for kind in (GONE, said, later, ProblemType("conflict", 409, "conflict", "Ours already")):
        registry.add_problem(kind)
    assert kinds_of(registry).own == (said,)


def test_two_of_one_code_are_two(registry: Registry) -> None:
    registry.add_problem(GONE)
    registry.add_problem(ProblemType("gone", 404, "gone-too", "Gone, too"))
    assert [kind.status for kind in kinds_of(registry).own] == [404, 410]


def test_what_is_no_problem_is_refused(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="ProblemType"):
        registry.add_problem("gone")  # type: ignore[arg-type]


def test_a_router_brings_its_problems_along(registry: Registry) -> None:
    other = Registry()
    other.add_problem(Full)
    registry.include(other)
    assert [kind.code for kind in registry.problems] == ["full"]
