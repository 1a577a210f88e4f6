"""Topics with wildcards. A backplane may tell more than a filter asks for, never less."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wsproto_core.encoding import EncodedEvent
from wsproto_core.ids import new_id
from wsproto_core.publications import Publication, write_publication
from wsproto_core.reception import Reception
from wsproto_core.recipients import topic as topic_audience
from wsproto_core.testing.backplanes.engine import Engine, case, eventually, listening

__all__: list[str] = []

# A filter, and what it stands for.
_FILTERS: Final = {
    "sport/+": ["sport/tennis", "sport/", "sport/a*b"],
    "sport/#": ["sport", "sport/tennis", "sport/tennis/score", "sport/"],
    "sport/+/score": ["sport/tennis/score", "sport//score"],
    "+/news": ["sport/news", "/news"],
    "+": ["sport", "news"],
    "+/+": ["a/b", "/"],
    "#": ["sport", "a/b/c", "/", "sport/a*b"],
    "+/b/#": ["a/b", "a/b/c", "/b/c/d"],
    "sto*k/+": ["sto*k/a"],
    "q?/#": ["q?", "q?/a"],
    "[ab]/+": ["[ab]/x"],
    "back\\slash/#": ["back\\slash", "back\\slash/a"],
    "dot.ted/+": ["dot.ted/a", "dot.ted/b.c"],
    "gr>t/#": ["gr>t/a b/c"],
    "żółw/+": ["żółw/ó"],
}


@case("a filter hears every topic that it stands for", needs=["filters"])
async def _stands_for(engine: Engine) -> None:
    async with listening(engine) as (speaker, _):
        for name, topics in _FILTERS.items():
            async with listening(engine, name) as (_, ear):
                for topic in topics:
                    await speaker.publish(topic, name.encode())
                await ear.hears(*((topic, name.encode()) for topic in topics))
                assert len(ear.heard) == len(topics), (name, ear.heard)


@case("no filter hears what glob characters in it would stand for elsewhere", needs=["filters"])
async def _no_globs(engine: Engine) -> None:
    async with listening(engine, "sto*k/+", "q?/#", "[ab]/+") as (_, ear), listening(engine) as (speaker, _):
        for topic in ("stock/a", "qx", "qx/a", "a/x", "b/x"):
            await speaker.publish(topic, b"wrong")
        await speaker.publish("sto*k/a", b"right")
        await ear.hears(("sto*k/a", b"right"))
        assert ear.heard == [("sto*k/a", b"right")]


@case("topics that filters overlap on are acted on once", needs=["filters"])
async def _once(engine: Engine) -> None:
    names = ("sport/tennis", "sport/+", "sport/#", "+/tennis", "#")
    publications: list[Publication] = []
    reception = Reception(lambda _: None)
    reception.hear_as("this one")
    reception.ears = _Ears(publications.append)
    backplane = engine.backplane()
    await backplane.start(reception)
    try:
        for name in names:
            await backplane.subscribe(name)
        async with listening(engine) as (speaker, _):
            for number in range(20):
                event = EncodedEvent(name=f"event {number}", msg_id=new_id(), payload="{}", key=None)
                await speaker.publish(
                    "sport/tennis", write_publication(event, "that one", [topic_audience("sport/tennis")])
                )
            await eventually(lambda: any(each.event == "event 19" for each in publications))
        assert [each.event for each in publications] == [f"event {number}" for number in range(20)]
    finally:
        await backplane.stop()


@case("a filter that is left does not take the others along", needs=["filters"])
async def _left(engine: Engine) -> None:
    names = ("sport/tennis", "sport/#", "sport/+", "+/tennis")
    async with listening(engine, *names) as (listener, ear), listening(engine) as (speaker, _):
        for count, name in enumerate(names[:-1]):
            await speaker.publish("sport/tennis", b"%d" % count)
            await ear.hears(("sport/tennis", b"%d" % count))
            await listener.unsubscribe(name)
        await speaker.publish("sport/golf", b"nobody")
        await speaker.publish("sport/tennis", b"last")
        await ear.hears(("sport/tennis", b"last"))
        await listener.unsubscribe(names[-1])
        await listener.subscribe("room/a")
        await speaker.publish("sport/tennis", b"too late")
        await speaker.publish("room/a", b"end")
        await ear.hears(("room/a", b"end"))
        assert ("sport/tennis", b"too late") not in ear.heard


@case("a filter that comes while the last one leaves is heard", needs=["filters"])
async def _relieved(engine: Engine) -> None:
    async with listening(engine, "sport/+") as (listener, ear), listening(engine) as (speaker, _):
        before, after = "sport/+", "sport/#"
        for count in range(6):
            if count % 2:
                await asyncio.gather(listener.unsubscribe(before), listener.subscribe(after))
            else:
                await asyncio.gather(listener.subscribe(after), listener.unsubscribe(before))
            await speaker.publish("sport/tennis", b"%d" % count)
            await ear.hears(("sport/tennis", b"%d" % count))
            before, after = after, before
        await listener.unsubscribe(before)
        await listener.subscribe("room/a")
        await speaker.publish("sport/tennis", b"too late")
        await speaker.publish("room/a", b"end")
        await ear.hears(("room/a", b"end"))
        assert ("sport/tennis", b"too late") not in ear.heard


@case("who listens to a filter misses nothing while a topic of it comes and goes", needs=["filters"])
async def _comes_and_goes(engine: Engine) -> None:
    messages = [b"%d" % number for number in range(1_000)]
    async with listening(engine, "sport/+") as (listener, ear), listening(engine) as (speaker, _):

        async def speak() -> None:
            for message in messages:
                await speaker.publish("sport/tennis", message)
                await asyncio.sleep(0)

        speaking = asyncio.create_task(speak())
        while not speaking.done():
            await listener.subscribe("sport/tennis")
            await listener.unsubscribe("sport/tennis")
            await asyncio.sleep(0)  # some engines never wait
        await speaking
        await ear.hears(("sport/tennis", messages[-1]))
        # What comes twice is acted on once.
        assert list(dict.fromkeys(ear.on("sport/tennis"))) == messages


class _Ears:
    def __init__(self, publication: Callable[[Publication], None]) -> None:
        self.publication = publication
        self.disconnection = self.presence = self.gap = _nothing


def _nothing(*_: object) -> None: ...
