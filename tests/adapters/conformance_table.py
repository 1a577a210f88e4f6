"""Prints the table of the conformance suite: `python -m tests.adapters.conformance_table [--runs 3]`."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.adapters.hosts import HOSTS, Host
from tests.adapters.serving import Server
from wsproto_core.testing.conformance import CASES, Result, Target, run_cases


def run_on(host: Host, folder: Path) -> list[Result]:
    """Run all cases on a server of a host."""
    command = [part.replace("{application}", host.application) for part in host.command]
    with Server(command, folder / f"{host.name}.log", {"TEST_LIMITS": json.dumps({})}) as server:
        return asyncio.run(run_cases(Target(server.url("/ws/"), host.lacks)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", help="the hosts of one adapter only")
    parser.add_argument("--runs", type=int, default=1, help="how often, one after the other")
    arguments = parser.parse_args()
    hosts = [host for host in HOSTS if arguments.adapter in {None, host.adapter}]
    failed = 0
    for run in range(1, arguments.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            results = {host.name: run_on(host, Path(folder)) for host in hosts}
        print(f"\n# Run {run} of {arguments.runs}\n")
        print("| case | " + " | ".join(results) + " |")
        print("| --- |" + " --- |" * len(results))
        for row, name in enumerate(CASES):
            print(f"| {name} | " + " | ".join(column[row].outcome for column in results.values()) + " |")
        for host, column in results.items():
            for result in column:
                if result.outcome == "FAIL":
                    failed += 1
                    print(f"\n{host}: {result.case.name}\n    {result.why}")
        counts = [sum(result.outcome == "pass" for result in column) for column in results.values()]
        print(f"\n{sum(counts)} passed on {len(hosts)} hosts, {failed} failed so far")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
