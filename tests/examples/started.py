"""An example in a process of its own, started by the one command that its README names."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from websockets.asyncio.client import connect

from tests.adapters.serving import ROOT
from tests.adapters.talking import PATIENCE, Client

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Example:
    """A running example.

    Attributes:
        url: of its page.
    """

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"examples.{name}"],
            cwd=ROOT,
            env={**os.environ, "PORT": "0", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.lines: list[str] = []
        self._told = threading.Event()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self.url = ""

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            if "http://127.0.0.1:" in line:
                self._told.set()
        self._told.set()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait(self) -> None:
        """Wait for the line that tells where the page is."""
        assert self._told.wait(2 * PATIENCE), f"it does not start: {self.log}"
        found = re.search(r"http://127\.0\.0\.1:\d+", self.log)
        assert found, f"it did not start: {self.log}"
        self.url = found[0]
        # gunicorn takes a moment longer than its socket.
        self.get("/wsproto.js")

    def stop(self, how: signal.Signals) -> int:
        """Ask it to end; return the exit code once all of its processes have ended."""
        if self._process.poll() is None and how is signal.SIGINT:
            os.killpg(self._process.pid, how)  # as a terminal does
        elif self._process.poll() is None:
            self._process.send_signal(how)
        try:
            code = self._process.wait(2 * PATIENCE)
            # The pipe ends when nobody holds it any more: whatever it started.
            self._reading.join(PATIENCE)
            assert not self._reading.is_alive(), f"something that it started still runs: {self.log}"
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def get(self, path: str, data: bytes | None = None, **headers: str) -> str:
        """Ask over HTTP; return the body."""
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        with _OPENER.open(request, timeout=PATIENCE) as answer:
            body: str = answer.read().decode()
        return body

    @asynccontextmanager
    async def connect(self, **options: Any) -> AsyncIterator[Client]:
        """Connect as a page does, with the origin that pages send."""
        options = {"proxy": None, "origin": self.url, "open_timeout": PATIENCE, "close_timeout": 5, **options}
        async with connect(f"ws{self.url.removeprefix('http')}/ws/", **options) as websocket:
            yield Client(websocket)


@contextmanager
def example(name: str, *, end_by: signal.Signals = signal.SIGINT, **environment: str) -> Iterator[Example]:
    """Run an example to the end of the block, and see that it ends as it should: at Ctrl+C, or at SIGTERM."""
    started = Example(name, environment)
    try:
        started.wait()
        yield started
    except BaseException:
        print(started.log)
        raise
    finally:
        code = started.stop(end_by)
    assert code in {0, -signal.SIGTERM}, started.log
    assert "Traceback" not in started.log, started.log


async def until(client: Client, event: str, **payload: Any) -> dict[str, Any]:
    """Return the next event of that name and with that in its payload; others are passed over."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        received = await client.receive()
        assert "event" in received, received
        if received["event"] == event and payload.items() <= received["payload"].items():
            return received
    raise AssertionError(f"no {event} with {payload}")


async def off_loop(function: Any, *arguments: Any) -> Any:
    """Do something that blocks, beside the event loop."""
    return await asyncio.to_thread(function, *arguments)
