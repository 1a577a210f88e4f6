"""What is tested: backplanes on one engine, what it can do, and who listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

from wsproto_core.backplane import Backplane

__all__ = ["ABILITIES", "CASES", "PATIENCE", "Case", "Ear", "Engine", "Heard", "case", "eventually", "listening"]

PATIENCE: Final = 20.0  # seconds until a backplane that does not do what it should fails the case

ABILITIES: Final[dict[str, str]] = {
    "filters": "topics with wildcards can be subscribed",
    "signing": "`backplane(signing_key=…)` is signed",
    "poison": "`poison(topic, data)` publishes what no backplane would",
    "inspect": "`left()` tells what the engine still holds for backplanes",
    "cut": "`cut()` ends all connections to the engine",
    "restart": "`kill()` ends the engine at once, `revive()` starts it where it was, with nothing in it",
    "pause": "`pause()` has the engine answer nobody, `resume()` has it go on",
}
"""What an engine may be able to do, beyond carrying messages. A case that needs more is not for it."""


class Engine(Protocol):
    """An engine, and how the suite gets at it. Only the methods of its abilities are called."""

    @property
    def abilities(self) -> frozenset[str]:
        """Which of `ABILITIES` it has."""
        ...

    @property
    def largest(self) -> int:
        """The largest message in bytes that it has to carry."""
        ...

    def backplane(self, **options: Any) -> Backplane:
        """Return a new backplane that is not started, connected to the same engine as the others."""
        ...

    async def poison(self, topic: str, data: bytes) -> None:
        """Publish bytes as they are to where backplanes listen for a topic."""
        ...

    async def left(self) -> Sequence[str]:
        """Return what the engine holds for backplanes: connections, subscriptions, keys."""
        ...

    async def cut(self) -> None:
        """End every connection to the engine, which goes on."""
        ...

    async def kill(self) -> None:
        """End the engine at once, as SIGKILL does."""
        ...

    async def revive(self) -> None:
        """Start it again where it was; return when it listens."""
        ...

    async def pause(self) -> None:
        """Have the engine do nothing, as SIGSTOP does."""
        ...

    async def resume(self) -> None:
        """Have it go on."""
        ...


Heard = tuple[str, bytes]
Check = Callable[[Engine], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that every backplane must do.

    Attributes:
        name: what it is, as a sentence.
        check: raises when it is not so.
        needs: abilities of the engine without which it cannot be seen.
    """

    name: str
    check: Check
    needs: frozenset[str]


CASES: Final[dict[str, Case]] = {}
"""The cases by name."""


def case(name: str, *, needs: Iterable[str] = ()) -> Callable[[Check], Check]:
    """Register a case."""
    assert ABILITIES.keys() >= set(needs)

    def register(check: Check) -> Check:
        CASES[name] = Case(name, check, frozenset(needs))
        return check

    return register


class Ear:
    """A `Receiver` that keeps what it hears, from any thread.

    Attributes:
        heard: topics and messages, in order.
        malformed_ones: what was said to be malformed.
        gaps: the topics of each gap that was told, or None for all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.heard: list[Heard] = []
        self.malformed_ones: list[str] = []
        self.gaps: list[list[str] | None] = []

    def __call__(self, topic: str, message: bytes) -> None:
        """Take a message."""
        assert isinstance(topic, str) and isinstance(message, bytes), (topic, message)
        with self._lock:
            self.heard.append((topic, message))

    def malformed(self, what: str) -> None:
        """Take word of a message that is none."""
        with self._lock:
            self.malformed_ones.append(what)

    def gap(self, topics: Iterable[str] | None = None) -> None:
        """Take word of a gap."""
        with self._lock:
            self.gaps.append(None if topics is None else list(topics))

    def on(self, topic: str) -> list[bytes]:
        """Return what was heard on a topic."""
        return [message for each, message in list(self.heard) if each == topic]

    async def hears(self, *expected: Heard) -> None:
        """Wait until each of these was heard."""
        await eventually(lambda: set(expected) <= set(self.heard), lambda: f"heard {self.heard[-20:]!r:.2000}")

    async def hears_on(self, topic: str, messages: Sequence[bytes]) -> None:
        """Wait for the last of these on a topic; then all of them have come, in this order, and nothing else."""
        try:
            await self.hears((topic, messages[-1]))
        finally:
            on = self.on(topic)
            assert on == list(messages), f"{len(on)} of {len(messages)} on {topic!r}: {on[:20]!r:.1000}"


@asynccontextmanager
async def listening(engine: Engine, *topics: str, **options: Any) -> AsyncGenerator[tuple[Backplane, Ear]]:
    """Start a backplane that listens, and stop it in the end."""
    ear = Ear()
    backplane = engine.backplane(**options)
    async with asyncio.timeout(PATIENCE):
        await backplane.start(ear)
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(backplane.subscribe(topic) for topic in topics))
        yield backplane, ear
    finally:
        async with asyncio.timeout(PATIENCE):
            await backplane.stop()


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], why: Callable[[], str] = lambda: "", seconds: float = PATIENCE
) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not, for too long.
    """
    end = monotonic() + seconds
    while True:
        so = condition()
        if so if isinstance(so, bool) else await so:
            return
        assert monotonic() < end, why() or "it never came"
        await asyncio.sleep(0.01)
