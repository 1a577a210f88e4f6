"""Fresh interpreters, for what only shows in one: what an import brings along, what a fork takes over."""

import os
import subprocess
import sys

__all__ = ["import_error", "run_python"]


def run_python(code: str, *paths: object) -> str:
    """Run code in a new interpreter, in which every warning is an error, and return what it printed.

    Args:
        code: what to run; an exception fails the test.
        paths: folders that come first where it looks for modules.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, *sys.path]))},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def import_error(module: str, *, without: str) -> str:
    """Import a module in a new interpreter where another one cannot be found; return what the error says."""
    code = (
        f"import sys\nsys.modules[{without!r}] = None\n"
        f"try:\n    import {module}\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    return run_python(code)
