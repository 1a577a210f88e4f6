"""Messages arrive where somebody listens, whole, in order, and nowhere else."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from wsproto_core.testing.backplanes.engine import Ear, Engine, case, eventually, listening

__all__: list[str] = []

# Names that are easily taken for each other, or for something else, by engines that have patterns of their own.
_NAMES: Final = (
    "room/a",
    "room/A",
    "room/a/b",
    "room/a b",
    "room/a.b",
    "room/ab",
    "room/a*",
    "room/a?",
    "room/[ab]",
    "room/a\\b",
    "room/a>",
    "room/>",
    "room/*",
    "room/",
    "room/a/",
    "room//a",
    "/room/a",
    "room/%2F",
    "room/{a}",
    "room/}{",
    "room/ä",
    "room/\U0001f642",
    "user/a",
    "user/1",
    "everyone/*",
    "connection/process/0a0b0c0d0e0f0a0b",
    "connection/a",
    "$presence/room/a",
    "sport",
    "sport/tennis",
    "sport/$sys",
    "x" * 255,
)


@case("a message reaches everybody else who listens to its topic")
async def _reaches(engine: Engine) -> None:
    async with (
        listening(engine) as (speaker, silent),
        listening(engine, "room/a", "room/b") as (_, one),
        listening(engine, "room/a") as (_, another),
    ):
        await speaker.publish("room/a", b"1")
        await speaker.publish("room/b", b"2")
        await speaker.publish("room/a", b"3")
        await one.hears_on("room/a", [b"1", b"3"])
        await one.hears_on("room/b", [b"2"])
        await another.hears_on("room/a", [b"1", b"3"])
        assert another.on("room/b") == [] and silent.heard == []


@case("who listens may speak, on the same topic")
async def _listens_and_speaks(engine: Engine) -> None:
    async with (
        listening(engine, "room/a") as (one, ear_of_one),
        listening(engine, "room/a") as (another, ear_of_another),
    ):
        await one.publish("room/a", b"from one")
        await ear_of_another.hears(("room/a", b"from one"))
        await another.publish("room/a", b"from another")
        await ear_of_one.hears(("room/a", b"from another"))


@case("names that look alike are different topics")
async def _names(engine: Engine) -> None:
    async with (
        listening(engine) as (speaker, _),
        listening(engine, *_NAMES) as (_, together),
        listening(engine, *_NAMES[::2]) as (_, half),
    ):
        for name in _NAMES:
            await speaker.publish(name, name.encode())
        for name in _NAMES:
            await together.hears_on(name, [name.encode()])
        for name in _NAMES[::2]:
            await half.hears_on(name, [name.encode()])
        assert {name for name, _ in half.heard} == set(_NAMES[::2])


@case("messages of a topic arrive in their order")
async def _order(engine: Engine) -> None:
    topics = ["room/a", "room/b", "user/1"]
    async with listening(engine, *topics) as (_, ear), listening(engine) as (speaker, _):
        messages = [b"%d" % number for number in range(500)]

        async def say(topic: str) -> None:
            for message in messages:
                await speaker.publish(topic, message)

        await asyncio.gather(*map(say, topics))
        for topic in topics:
            await ear.hears_on(topic, messages)


@case("each of several speakers is heard in order")
async def _speakers(engine: Engine) -> None:
    async with (
        listening(engine, "room/a") as (_, ear),
        listening(engine) as (one, _),
        listening(engine) as (another, _),
    ):
        for number in range(100):
            await asyncio.gather(
                one.publish("room/a", b"one %d" % number), another.publish("room/a", b"another %d" % number)
            )
        await ear.hears(("room/a", b"one 99"), ("room/a", b"another 99"))
        for name in (b"one", b"another"):
            said = [message for message in ear.on("room/a") if message.startswith(name + b" ")]
            assert said == [name + b" %d" % number for number in range(100)]


@case("a burst of publishes that nobody awaits one by one arrives in order")
async def _burst(engine: Engine) -> None:
    async with listening(engine, "room/a") as (_, ear), listening(engine) as (speaker, _):
        messages = [b"%d" % number for number in range(300)]
        await asyncio.gather(*(speaker.publish("room/a", message) for message in messages))
        await ear.hears_on("room/a", messages)


@case("thousands of topics can be listened to and left")
async def _many(engine: Engine) -> None:
    topics = [f"room/{number}" for number in range(2_000)]
    async with listening(engine, *topics) as (listener, ear), listening(engine) as (speaker, _):
        for topic in topics:
            await speaker.publish(topic, topic.encode())
        await ear.hears(*((topic, topic.encode()) for topic in topics))
        assert len(ear.heard) == len(topics)
        await asyncio.gather(*(listener.unsubscribe(topic) for topic in topics[1:]))
        for topic in topics:
            await speaker.publish(topic, b"again")
        await speaker.publish(topics[0], b"last")
        await ear.hears((topics[0], b"last"))
        assert ear.heard[len(topics) :] == [(topics[0], b"again"), (topics[0], b"last")]


@case("who unsubscribed hears nothing more, and the others go on")
async def _unsubscribe(engine: Engine) -> None:
    async with (
        listening(engine, "room/a", "room/b") as (leaver, left),
        listening(engine, "room/a") as (_, stayed),
        listening(engine) as (speaker, _),
    ):
        await leaver.unsubscribe("room/a")
        await leaver.unsubscribe("room/never")
        await speaker.publish("room/a", b"1")
        await speaker.publish("room/b", b"2")
        await stayed.hears_on("room/a", [b"1"])
        await left.hears_on("room/b", [b"2"])
        assert left.on("room/a") == []


@case("who comes back to a topic hears it again, once")
async def _again(engine: Engine) -> None:
    async with listening(engine, "room/a") as (listener, ear), listening(engine) as (speaker, _):
        for _ in range(5):
            await listener.unsubscribe("room/a")
            await listener.subscribe("room/a")
        await speaker.publish("room/a", b"1")
        await speaker.publish("room/a", b"2")
        await ear.hears_on("room/a", [b"1", b"2"])


@case("subscribing and leaving at once, on many topics, ends as the last call of each topic says")
async def _concurrently(engine: Engine) -> None:
    topics = [f"room/{number}" for number in range(40)]
    chance = random.Random(7)  # noqa: S311 - the same for each engine
    async with listening(engine) as (listener, ear), listening(engine) as (speaker, _):

        async def change(topic: str, times: int) -> None:
            for _ in range(times):
                await listener.subscribe(topic)
                await listener.unsubscribe(topic)

        async def chatter() -> None:
            for number in range(100):
                await speaker.publish(topics[number % 40], b"meanwhile")

        await asyncio.gather(*(change(topic, chance.randint(1, 5)) for topic in topics), chatter())
        await asyncio.gather(*(listener.subscribe(topic) for topic in topics[::2]))
        for topic in topics:
            await speaker.publish(topic, b"after")
        await ear.hears(*((topic, b"after") for topic in topics[::2]))
        assert sorted(topic for topic, message in ear.heard if message == b"after") == sorted(topics[::2])


@case("messages of every size and of any bytes arrive whole")
async def _sizes(engine: Engine) -> None:
    every_byte = bytes(range(256))
    messages = [b"\0", b"\r\n", b"$5\r\nhello\r\n", b"+PING\r\n", every_byte, every_byte * 300]
    messages += [random.Random(7).randbytes(engine.largest), b"the last"]  # noqa: S311 - the same for each engine
    async with listening(engine, "room/a") as (_, ear), listening(engine) as (speaker, _):
        for message in messages:
            await speaker.publish("room/a", message)
        await ear.hears_on("room/a", messages)


@case("what no backplane published harms nobody: the next 100 messages arrive", needs=["poison"])
async def _poison(engine: Engine) -> None:
    topics = ["room/a", "user/1", "sport/tennis", "everyone/*"]
    async with listening(engine, *topics) as (_, ear), listening(engine) as (speaker, _):
        for topic in topics:
            for data in (b"", b"\xff\xfe", b"null", b"{", b"\0" * 100_000, b"hs256." + b"0" * 64 + b".{}"):
                await engine.poison(topic, data)
            messages = [b"good %d" % number for number in range(100)]
            for message in messages:
                await speaker.publish(topic, message)
            await ear.hears((topic, messages[-1]))
            assert [each for each in ear.on(topic) if each.startswith(b"good")] == messages


@case("what is not signed, or was signed for another topic, is counted and passed over", needs=["poison", "signing"])
async def _signed(engine: Engine) -> None:
    key = "a key that is shared by all"
    async with (
        listening(engine, "room/a", "room/b", signing_key=key) as (_, ear),
        listening(engine, signing_key=key) as (speaker, _),
        listening(engine, signing_key=["a key that is another one", key]) as (stranger, _),
        listening(engine, "room/a") as (_, plain),
    ):
        await speaker.publish("room/a", b"1")
        await eventually(lambda: bool(plain.heard))
        signed = plain.heard[0][1]
        assert signed != b"1"
        await stranger.publish("room/a", b"2")
        await engine.poison("room/b", signed)
        await engine.poison("room/a", b"not signed")
        await speaker.publish("room/b", b"3")
        await speaker.publish("room/a", b"4")
        await ear.hears_on("room/a", [b"1", b"4"])
        await ear.hears_on("room/b", [b"3"])
        assert len(ear.malformed_ones) == 3, ear.malformed_ones


@case("after a stop nothing is left, and it can start again", needs=["inspect"])
async def _stop(engine: Engine) -> None:
    await eventually(lambda: _is_empty(engine))
    tasks = asyncio.all_tasks()
    backplane = engine.backplane()
    for _ in range(3):
        ear = Ear()
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        async with listening(engine) as (speaker, _):
            await speaker.publish("room/a", b"hi")
            await ear.hears_on("room/a", [b"hi"])
        await backplane.publish("room/b", b"nobody hears")
        await backplane.stop()
        await eventually(lambda: _is_empty(engine))
        await eventually(lambda: asyncio.all_tasks() <= tasks, lambda: f"left: {asyncio.all_tasks() - tasks}")
    await backplane.stop()


@case("stopping what was never started is nothing")
async def _never_started(engine: Engine) -> None:
    await engine.backplane().stop()


@case("a stop while messages come and go ends them")
async def _stop_in_the_middle(engine: Engine) -> None:
    async with listening(engine, "room/a") as (_, ear), listening(engine, "room/a") as (other, _):
        speaker = engine.backplane()
        await speaker.start(Ear())
        for number in range(50):
            await speaker.publish("room/a", b"%d" % number)
        await asyncio.wait_for(speaker.stop(), 10)
        await other.publish("room/a", b"last")
        await ear.hears(("room/a", b"last"))
        # What was queued is sent before it ends.
        assert len(ear.on("room/a")) == 51


async def _is_empty(engine: Engine) -> bool:
    return not await engine.left()
