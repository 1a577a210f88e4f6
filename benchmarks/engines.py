"""Engines between processes, started for a benchmark: on a free loopback port, in a folder of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.environments import ROOT

PATIENCE = 10.0  # seconds


def program(name: str) -> str:
    """The path of `redis-server` or `nats-server`; its script in `scripts/` brings it where it can."""
    script = ROOT / "scripts" / f"ensure-{name.removesuffix('-server')}.sh"
    if found := shutil.which(name):
        return found
    return subprocess.run([script], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Engine:
    """`kind` is `redis` or `nats`. As a context manager it runs, without keeping anything on disk."""

    def __init__(self, kind: str, *options: str) -> None:
        self.kind = kind
        self.options = options
        self.port = _free_port()
        self.url = f"{kind}://127.0.0.1:{self.port}"

    def __enter__(self) -> "Engine":
        self._folder = tempfile.TemporaryDirectory()
        port = str(self.port)
        if self.kind == "redis":
            arguments = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            arguments += ["--dir", self._folder.name]
        else:
            arguments = ["-p", port, "-a", "127.0.0.1"]
        with Path(self._folder.name, "log").open("wb") as log:
            command = [program(f"{self.kind}-server"), *arguments, *self.options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{self.kind}-server did not start:\n{Path(self._folder.name, 'log').read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    @property
    def version(self) -> str:
        command = [program(f"{self.kind}-server"), "--version"]
        words = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        return next(word.removeprefix("v=").removeprefix("v") for word in words if any(map(str.isdigit, word)))


def url() -> str:
    """Where the engine is, for a server that was started with it."""
    return os.environ["BENCH_ENGINE"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
