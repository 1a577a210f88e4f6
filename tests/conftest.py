"""What all tests share: hypothesis' profiles, and `--adapter`, which leaves out the tests of the other adapters."""

import re
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
ADAPTERS = {folder.name.removeprefix("wsproto_") for folder in HERE.parent.glob("src/adapters/wsproto_*")}

# No deadline per example: a busy machine is slow, not wrong. The time limit per test still holds.
settings.register_profile("default", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=100_000)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--adapter",
        choices=sorted(ADAPTERS),
        help="of tests/adapters, run only what is about this adapter or about none in particular",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files and folders with another adapter's name in theirs: its framework may not be installed."""
    chosen = config.getoption("--adapter")
    folder = HERE / "adapters"
    if chosen is None or not collection_path.is_relative_to(folder):
        return None
    words = re.split(r"[/\\._]", str(collection_path.relative_to(folder)))
    return True if (ADAPTERS - {chosen}).intersection(words) else None
