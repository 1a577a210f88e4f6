"""Rounds in which every contestant takes its turn, and what their figures say."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Figures:
    """The figures of one contestant: for each round, those of its turns."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def median(self) -> float:
        return statistics.median(value for turns in self.rounds for value in turns)

    @property
    def spread(self) -> tuple[float, float]:
        """The medians of the lowest and of the highest round."""
        medians = [statistics.median(turns) for turns in self.rounds]
        return min(medians), max(medians)

    def over(self, other: "Figures") -> "Figures":
        """The ratio turn by turn, so that what slowed both down cancels out."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return Figures(tuple(tuple(mine / its for mine, its in zip(a, b, strict=True)) for a, b in pairs))

    def format(self, digits: int) -> str:
        low, high = self.spread
        return f"{self.median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def interleave(names: Sequence[str], measure: Callable[[str], T], turns: int) -> dict[str, list[T]]:
    """A B C A B C …: what else the machine does meets all of them alike. Each time another one begins."""
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(turns):
        shift = number % len(names)
        for name in (*names[shift:], *names[:shift]):
            results[name].append(measure(name))
    return results
