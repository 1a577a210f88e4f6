"""Run the conformance suite against a server: ``python -m wsproto_core.testing.conformance URL``."""

from __future__ import annotations

import argparse
import asyncio
import sys

from wsproto_core.testing.conformance import CASES, Target
from wsproto_core.testing.conformance.runner import run_case

__all__ = ["main"]


async def _run(target: Target, only: str) -> bool:
    good = True
    for case in CASES.values():
        if only in case.name:
            result = await run_case(target, case)
            sys.stdout.write(
                f"{result.outcome:4}  {case.name}" + (f"\n      {result.why}" if result.why else "") + "\n"
            )
            good = good and result.outcome != "FAIL"
    return good


def main() -> int:
    """Run the cases and print a line for each; the exit status is 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m wsproto_core.testing.conformance", description=__doc__)
    parser.add_argument("url", help="where conformance_registry() is mounted, for example ws://127.0.0.1:8000/ws/")
    parser.add_argument("--lacks", action="append", default=[], help="a capability that the host does not have")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    arguments = parser.parse_args()
    target = Target(arguments.url, frozenset(arguments.lacks))
    return 0 if asyncio.run(_run(target, arguments.only)) else 1


if __name__ == "__main__":
    sys.exit(main())
