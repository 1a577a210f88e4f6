"""The suite for backplanes: what each of them must do, on a real engine.

Whoever writes a backplane says in an `Engine` how to make backplanes and how to harm what they talk through, and runs
each of `CASES` in tests of their own::

    @pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
    async def test_the_backplane(case: Case) -> None:
        if case.needs <= MyEngine.abilities:
            async with MyEngine() as engine:
                await case.check(engine)

The suite needs nothing but the standard library and the core.
"""

# isort: off
from wsproto_core.testing.backplanes import carrying  # first what works, then what breaks
from wsproto_core.testing.backplanes import filtering
from wsproto_core.testing.backplanes import loops
from wsproto_core.testing.backplanes import faults
# isort: on

from wsproto_core.testing.backplanes.engine import ABILITIES, CASES, Case, Ear, Engine

__all__ = ["ABILITIES", "CASES", "Case", "Ear", "Engine", "carrying", "faults", "filtering", "loops"]
