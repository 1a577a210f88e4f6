"""Servers of the contestants: one process each, on a free port of the loopback interface."""

import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

from benchmarks.environments import ROOT, Environment


@dataclass
class Server:
    """`app` is its module in `apps/`, `kind` one of `serve`. As a context manager it runs, pinned to one core.

    `variables` are those of its environment that the application reads.
    """

    app: str
    environment: str
    kind: str = "uvicorn"
    core: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    port: int = 0
    pid: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Server":
        environment = Environment(self.environment)
        self.process = subprocess.Popen(
            environment.command("benchmarks.servers.serve", self.app, self.kind, str(self.core)),
            cwd=ROOT,
            env={**environment.variables(), **self.variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"the server {self.app} did not start; its error is above")
        ready: dict[str, Any] = json.loads(line)
        self.port, self.pid, self.versions = ready["port"], ready["pid"], ready["versions"]
