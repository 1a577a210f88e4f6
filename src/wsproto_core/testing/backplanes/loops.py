"""Event loops that come one after another, as they do in tests, scripts and plain functions of a web framework."""

from __future__ import annotations

import asyncio

from wsproto_core.testing.backplanes.engine import Ear, Engine, case, listening

__all__: list[str] = []


@case("a process without connections publishes without a start, on whatever loop it has")
async def _publishes_only(engine: Engine) -> None:
    async with listening(engine, "room/a") as (_, ear):
        backplane = engine.backplane()
        messages = [b"%d" % number for number in range(10)]
        for message in messages:
            await asyncio.to_thread(asyncio.run, backplane.publish("room/a", message))
        await ear.hears_on("room/a", messages)


@case("after its loop has ended, the next one starts it again")
async def _next_loop(engine: Engine) -> None:
    backplane = engine.backplane()

    async def use(ear: Ear, number: int) -> None:
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        async with listening(engine) as (speaker, _):
            await speaker.publish("room/a", b"hi")
            await ear.hears(("room/a", b"hi"))
        await backplane.publish("room/b", b"from loop %d" % number)
        if number == 3:
            await backplane.stop()

    async with listening(engine, "room/b") as (_, other):
        ears = [Ear() for _ in range(4)]
        for number, ear in enumerate(ears):
            await asyncio.to_thread(asyncio.run, use(ear, number))
        await other.hears_on("room/b", [b"from loop %d" % number for number in range(4)])
    assert all(ear.heard == [("room/a", b"hi")] for ear in ears), [ear.heard for ear in ears]


@case("a loop that was closed with everything on it does not hold up the next one")
async def _closed_loop(engine: Engine) -> None:
    backplane = engine.backplane()

    async def use(ear: Ear) -> None:
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        await backplane.publish("room/b", b"from it")

    def abandon() -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use(Ear()))
        loop.close()

    async with listening(engine, "room/b") as (_, other):
        for _ in range(2):
            await asyncio.to_thread(abandon)
        ear = Ear()
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        await backplane.publish("room/b", b"last")
        await other.hears(("room/b", b"last"))
        async with listening(engine) as (speaker, _):
            await speaker.publish("room/a", b"hi")
        await ear.hears_on("room/a", [b"hi"])
        await backplane.stop()
