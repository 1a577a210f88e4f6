"""A server in a process of its own, started as users start theirs, and its log."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from tests.adapters.talking import PATIENCE, Client

ROOT = Path(__file__).parents[2]


class Server(AbstractContextManager["Server"]):
    """A server process.

    Args:
        command: that starts it; ``{port}`` in it stands for the port.
        log: the file that its output goes to.
        environment: more variables.
        program: that the command is for.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], program: str = sys.executable
    ) -> None:
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self._log = log
        self._command = [program, *(part.replace("{port}", str(self.port)) for part in command)]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:]), **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # of its own, as a terminal gives it
            )
        deadline = time.monotonic() + PATIENCE
        try:
            while not self._answers():
                assert self._process.poll() is None, f"the server did not start:\n{self.log}"
                assert time.monotonic() < deadline, f"the server does not listen:\n{self.log}"
                time.sleep(0.01)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not stop:\n{self.log}") from error
        finally:
            self._kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """All that it has written so far, to standard output and standard error."""
        return self._log.read_text(errors="replace")

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def connect(self, path: str = "/ws/", **options: Any) -> AsyncIterator[Client]:
        """Connect a plain client of the `websockets` library."""
        options = {"proxy": None, "open_timeout": PATIENCE, "close_timeout": PATIENCE, **options}
        async with connect(self.url(path), **options) as websocket:
            yield Client(websocket)

    async def refusal(self, path: str, **options: Any) -> Response:
        """Return the HTTP response that refuses a connection."""
        with pytest.raises(InvalidStatus) as refused:
            await connect(self.url(path), proxy=None, **options)
        return refused.value.response

    def get(self, path: str) -> Any:
        """Ask over HTTP; return the JSON answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    def inside(self) -> dict[str, Any]:
        """What the application tells about its process."""
        inside: dict[str, Any] = self.get("/inside")
        return inside

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, as a terminal does."""
        os.killpg(self.process.pid, number)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for its end."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    def _kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reserved.close()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE):
                return True
        except ConnectionRefusedError:
            return False


def reserve_port() -> socket.socket:
    """Bind a free port, so that no test that runs at the same time is given it, while a server may have it."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    if sys.platform != "linux":
        reserved.close()  # it would keep the server away
    return reserved
