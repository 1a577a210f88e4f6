"""The chat in a process of its own, and Chromium to look at it; for the tests and for the pictures in the docs."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]

# What keeps Chromium from calling home, and lets it run as root in a container.
_CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class ChatServer:
    """`python -m examples.chat` as users start it, on a free port that it keeps over restarts."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.chat"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(self.port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        # The line is printed once the port is open; no line means that the process has ended.
        line = self._process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"the chat did not start: {line!r}"
        self.port = int(found[1])

    def kill(self) -> None:
        """End it without a word, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, as a deployment does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.communicate(timeout=20)
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class ClusterDemo:
    """`python -m examples.cluster` as users start it, on free ports.

    Args:
        lease: seconds after which people of a killed process are gone.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease

    def __enter__(self) -> Self:
        program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
        assert program, "scripts/ensure-redis.sh brings redis-server"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.cluster"],
            cwd=ROOT,
            env={**os.environ, "PORT": "0", "LEASE": str(self._lease), "REDIS_SERVER": program},
            stdout=subprocess.PIPE,
            text=True,
        )
        found = [re.search(r"(http://127\.0\.0\.1:\d+) \(process (\d+)\)", self.line()) for _ in range(2)]
        assert all(found), "the cluster did not start"
        assert "Ctrl+C stops everything" in self.line()
        (self.fastapi, self.fastapi_pid), (self.flask, self.flask_pid) = [
            (each[1], int(each[2])) for each in found if each is not None
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self) -> str:
        """Return the next line that it says; an empty one once it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self, how: signal.Signals) -> int:
        """Stop it; return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.communicate(timeout=60)
        return self._process.returncode


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium: CHROMIUM names it, else the PATH has it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no Chromium: install it, or set CHROMIUM=/path/to/it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def enter(page: Page, url: str, name: str, room: str = "lobby") -> None:
    """Go through the door, as a person does."""
    page.goto(url)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Room", exact=True).fill(room)
    page.get_by_role("button", name="Enter the room").click()
    expect(page.get_by_role("heading", name=room)).to_be_visible()


def say(page: Page, text: str) -> None:
    """Write a message, and wait until the server has taken it."""
    box = page.get_by_label("Message", exact=True)
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value("")
