"""What the tests of the core share."""

import pytest

from wsproto_core import Registry


@pytest.fixture
def registry() -> Registry:
    """A registry with nothing in it."""
    return Registry()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give handlers that were stopped next to no time to clean up."""
    monkeypatch.setattr("wsproto_core.turns._STOP_GRACE", 0.01)


@pytest.fixture
def short_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the closing handshake, and what it waits for, next to no time."""
    monkeypatch.setattr("wsproto_core.session._CLOSE_SECONDS", 0.01)
