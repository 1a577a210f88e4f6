"""Runs the cases against a server and tells what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from wsproto_core.testing.conformance.target import CASES, Case, Target

__all__ = ["Result", "run_cases"]

_CASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case.

    Attributes:
        case: that was run.
        outcome: ``pass``, ``FAIL``, or ``n/a`` where the host lacks what it needs.
        why: what went wrong.
    """

    case: Case
    outcome: str
    why: str = ""


async def run_cases(target: Target, cases: Iterable[Case] | None = None) -> list[Result]:
    """Run cases, one after the other.

    Args:
        target: the server.
        cases: by default all of them.
    """
    return [await run_case(target, each) for each in (CASES.values() if cases is None else cases)]


async def run_case(target: Target, case: Case) -> Result:
    """Run one case."""
    if case.needs & target.lacks:
        return Result(case, "n/a", f"the host lacks {', '.join(sorted(case.needs & target.lacks))}")
    try:
        async with asyncio.timeout(_CASE_SECONDS):
            await case.check(target)
    except Exception as error:
        return Result(case, "FAIL", f"{type(error).__name__}: {error}"[:2000])
    return Result(case, "pass")
