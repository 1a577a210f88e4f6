"""The cases of the suite for backplanes, for the tests of each engine."""

from collections.abc import Iterable
from types import ModuleType

import pytest

from wsproto_core.testing.backplanes import CASES


def cases_for(abilities: Iterable[str], without: Iterable[ModuleType] = ()) -> pytest.MarkDecorator:
    """Run a test with each case that an engine is able to take, as its argument `case`; some modules are left out."""
    left_out = {module.__name__ for module in without}
    cases = [each for each in CASES.values() if each.needs <= set(abilities) and each.check.__module__ not in left_out]
    return pytest.mark.parametrize("case", cases, ids=[each.name.replace(" ", "-") for each in cases])
