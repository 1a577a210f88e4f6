"""What the tests of the core share."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from wsproto_core import Registry


@pytest.fixture
def registry() -> Registry:
    """A registry with nothing in it."""
    return Registry()


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Runs code in a fresh interpreter, in which a warning is an error; returns what it printed."""

    def run(code: str, *paths: object) -> str:
        path = os.pathsep.join(map(str, [*paths, *sys.path]))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
