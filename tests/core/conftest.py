"""What the tests of the core share."""

import pytest

from wsproto_core import Registry


@pytest.fixture
def registry() -> Registry:
    """A registry with nothing in it."""
    return Registry()
