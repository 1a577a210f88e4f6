"""The engine goes away and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from wsproto_core.backplane import Backplane
from wsproto_core.testing.backplanes.engine import PATIENCE, Ear, Engine, case, eventually, listening

__all__: list[str] = []

_LONGEST = 5.0  # seconds that a call may take when the engine does not answer


@case("connections that end are made again, and the gap is told", needs=["cut"])
async def _cut(engine: Engine) -> None:
    async with listening(engine, "room/a", "room/b") as (_, ear), listening(engine) as (speaker, _):
        for times in range(1, 4):
            await engine.cut()
            await eventually(lambda times=times: len(ear.gaps) >= times, lambda: "no gap was told")  # type: ignore[misc]
            await _arrives(speaker, ear, "room/a", b"%d" % times)


@case("an engine that was killed is found again, and everything after the gap arrives", needs=["restart"])
async def _killed(engine: Engine) -> None:
    topics = ["room/a", "room/b", "sport/tennis"]
    async with (
        listening(engine, *topics) as (_, ear),
        listening(engine, "room/a") as (speaker, own),
    ):
        await _arrives(speaker, ear, "room/a", b"before")
        await engine.kill()
        await _raises(lambda: speaker.publish("room/a", b"while away"))
        await engine.revive()
        await eventually(lambda: _covers(ear, topics) and _covers(own, topics[:1]), lambda: "no gap was told")
        for topic in topics:
            await _arrives(speaker, ear, topic, b"after")
        for gaps in (ear.gaps, own.gaps):
            told = [topic for topics in gaps for topic in (["all"] if topics is None else topics)]
            assert len(set(told)) == len(told), f"told twice: {gaps}"


@case("what is wanted of an engine that is away is done when it is back", needs=["restart"])
async def _remembered(engine: Engine) -> None:
    async with (
        listening(engine, "room/left", "room/kept") as (listener, ear),
        listening(engine) as (speaker, _),
    ):
        await engine.kill()
        await _raises(lambda: speaker.publish("room/kept", b"while away"))
        await _returns(listener.subscribe("room/new"))
        await _returns(listener.unsubscribe("room/left"))
        late, late_ear = engine.backplane(), Ear()
        await _returns(late.start(late_ear))
        await _returns(late.subscribe("room/new"))
        await engine.revive()
        await eventually(lambda: bool(ear.gaps), lambda: "no gap was told")
        await _arrives(speaker, ear, "room/new", b"after")
        await _arrives(speaker, late_ear, "room/new", b"for who came late")
        await _arrives(speaker, ear, "room/kept", b"after")
        await speaker.publish("room/left", b"nobody")
        await _arrives(speaker, ear, "room/kept", b"again")
        assert ear.on("room/left") == []
        await _returns(late.stop())


@case("a stop does not wait for an engine that is away", needs=["restart"])
async def _stops_while_away(engine: Engine) -> None:
    tasks = asyncio.all_tasks()
    backplane = engine.backplane()
    await backplane.start(Ear())
    await backplane.subscribe("room/a")
    await engine.kill()
    try:
        await _raises(lambda: backplane.publish("room/a", b"while away"))
        await _returns(backplane.stop())
        await eventually(lambda: asyncio.all_tasks() <= tasks, lambda: f"left: {asyncio.all_tasks() - tasks}")
    finally:
        await engine.revive()


@case("an engine that does not answer holds nobody up, and is noticed", needs=["pause"])
async def _paused(engine: Engine) -> None:
    async with listening(engine, "room/a") as (listener, ear), listening(engine) as (speaker, _):
        await _arrives(speaker, ear, "room/a", b"before")
        await engine.pause()
        try:
            await _raises(lambda: speaker.publish("room/a", b"while away"))
            await _returns(listener.subscribe("room/b"))
        finally:
            await engine.resume()
        await _arrives(speaker, ear, "room/b", b"after")
        await _arrives(speaker, ear, "room/a", b"after")


@case("a stop does not wait for an engine that does not answer", needs=["pause"])
async def _stops_while_paused(engine: Engine) -> None:
    backplane = engine.backplane()
    await backplane.start(Ear())
    await backplane.subscribe("room/a")
    await engine.pause()
    try:
        await _returns(backplane.stop())
    finally:
        await engine.resume()


def _covers(ear: Ear, topics: Sequence[str]) -> bool:
    told = {topic for gap in ear.gaps if gap is not None for topic in gap}
    return None in ear.gaps or told >= set(topics)


async def _arrives(speaker: Backplane, ear: Ear, topic: str, mark: bytes) -> None:
    """From the first message that arrives, a hundred do, in order and each once."""
    await _works(lambda: speaker.publish(topic, mark + b" first"))
    trials = 0

    async def is_heard() -> bool:
        nonlocal trials
        trials += 1
        await _works(lambda: speaker.publish(topic, mark + b" again"))
        return any(message.startswith(mark + b" ") for message in ear.on(topic))

    # The listener may be back a little later than the speaker.
    await eventually(is_heard)
    messages = [mark + b": %d" % number for number in range(100)]
    for message in messages:
        await speaker.publish(topic, message)
    await ear.hears((topic, messages[-1]))
    assert [each for each in ear.on(topic) if each.startswith(mark + b": ")] == messages
    assert len([each for each in ear.on(topic) if each == mark + b" first"]) <= 1
    assert len([each for each in ear.on(topic) if each == mark + b" again"]) <= trials


async def _works(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try until it does not raise."""

    async def has_worked() -> bool:
        try:
            await attempt()
        except Exception:
            await asyncio.sleep(0.05)
            return False
        return True

    await eventually(has_worked)


async def _raises(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try until it raises; no call takes long."""
    end = monotonic() + PATIENCE
    while True:
        begun = monotonic()
        try:
            await attempt()
        except Exception:
            assert monotonic() - begun < _LONGEST, f"it took {monotonic() - begun:.1f} s to raise"
            return
        assert monotonic() - begun < _LONGEST, f"it took {monotonic() - begun:.1f} s"
        assert monotonic() < end, "publishing never raised"
        await asyncio.sleep(0.01)


async def _returns(work: Awaitable[None]) -> None:
    async with asyncio.timeout(_LONGEST):
        await work
