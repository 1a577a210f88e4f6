"""What all tests share: hypothesis' profiles; `--adapter`, which leaves out the tests of the other adapters; `-n`."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.adapters.hosts import HOSTS

HERE = Path(__file__).parent
# Each of their tests starts a server of its own, so they need not stay together.
APART = {"tests/adapters/test_shutdown.py", "tests/adapters/test_fastapi.py", "tests/docs/test_docs.py"}
# Their processes are of several adapters at once.
SEVERAL = {"test_cluster.py", "test_demo_cluster.py", "test_demo_cluster_browser.py"}
ADAPTERS = {folder.name.removeprefix("wsproto_") for folder in HERE.parent.glob("src/adapters/wsproto_*")}

# No deadline per example: a busy machine is slow, not wrong. The time limit per test still holds.
settings.register_profile("default", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=100_000)
settings.load_profile("default")

# Whoever starts the tests in the background of a shell script has them ignore SIGINT, and so would the servers that
# they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
    if collection_path.name in SEVERAL:
        return True
    words = re.split(r"[/\\._]", str(collection_path.relative_to(folder)))
    return True if (ADAPTERS - {chosen}).intersection(words) else None


@pytest.hookimpl(optionalhook=True)  # pytest-xdist need not be there
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n``: leave the tests that share a server to one process, and begin with what takes longest."""
    from xdist.scheduler import LoadScopeScheduling

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    return ByServer(config, log) if config.getvalue("dist") == "load" else None


def together(nodeid: str) -> str:
    """Say what a test has to stay together with: those of its host, else those of its file."""
    path, _, name = nodeid.partition("::")
    if path in APART:
        return nodeid
    hosts = [host.name for host in HOSTS if re.search(rf"\[{host.name}[-\]]", name)]
    host = max(hosts, key=len, default="")
    return f"{path} {host}" if "slow_readers" in path else host or path
