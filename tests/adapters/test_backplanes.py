"""The suite for backplanes, on the one in memory; the engines have test modules of their own."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from tests.adapters.backplane_cases import cases_for
from wsproto_core import MemoryBackplane
from wsproto_core.testing.backplanes import ABILITIES, CASES, Case, Engine

_names = itertools.count(1)


class Memory:
    """One name in this process. What cannot break has no faults."""

    abilities = frozenset({"filters", "poison", "inspect"})
    largest = 1 << 20

    def __init__(self) -> None:
        self._name = f"the suite, {next(_names)}"
        self._bus = MemoryBackplane(self._name)._bus

    def backplane(self, **options: Any) -> MemoryBackplane:
        assert not options
        return MemoryBackplane(self._name)

    async def poison(self, topic: str, data: bytes) -> None:
        await self.backplane().publish(topic, data)

    async def left(self) -> Sequence[str]:
        return list(self._bus.listeners)

    async def cut(self) -> None:
        raise AssertionError

    kill = revive = pause = resume = cut


@cases_for(Memory.abilities)
async def test_memory(case: Case) -> None:
    engine: Engine = Memory()
    await case.check(engine)


def test_every_ability_is_needed_by_some_case() -> None:
    assert {need for case in CASES.values() for need in case.needs} == set(ABILITIES)


async def test_a_backplane_that_loses_what_it_carries_fails() -> None:
    class Lossy(MemoryBackplane):
        async def publish(self, topic: str, message: bytes) -> None:
            if not message.endswith(b"7"):
                await super().publish(topic, message)

    class Losing(Memory):
        def backplane(self, **options: Any) -> MemoryBackplane:
            return Lossy(self._name)

    with pytest.raises(AssertionError, match="450 of 500"):
        await CASES["messages of a topic arrive in their order"].check(Losing())
