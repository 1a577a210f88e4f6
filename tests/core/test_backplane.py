import sys

import pytest

from wsproto_core import Backplane, ConfigurationError, MemoryBackplane
from wsproto_core.backplane import backplane_from

Heard = list[tuple[str, bytes]]


async def listening(name: str, *topics: str) -> tuple[MemoryBackplane, Heard]:
    """Return a backplane that listens, and what it hears."""
    heard: Heard = []
    backplane = MemoryBackplane(name)
    await backplane.start(lambda topic, message: heard.append((topic, message)))
    for topic in topics:
        await backplane.subscribe(topic)
    return backplane, heard


async def test_a_message_reaches_the_others_that_listen_to_its_topic() -> None:
    speaker, own = await listening("reach", "room/a")
    _, one = await listening("reach", "room/a", "room/b")
    _, other = await listening("reach", "room/b")
    await speaker.publish("room/a", b"hi")
    assert (own, one, other) == ([], [("room/a", b"hi")], [])


async def test_backplanes_of_another_name_and_of_none_hear_nothing() -> None:
    _, named = await listening("apart", "room/a")
    _, alone = await listening("", "room/a")
    for name in ("other", ""):
        await (await listening(name))[0].publish("room/a", b"hi")
    assert (named, alone) == ([], [])


async def test_who_unsubscribed_or_stopped_hears_nothing_more() -> None:
    speaker, _ = await listening("leave")
    leaver, left = await listening("leave", "room/a", "room/b")
    stopper, stopped = await listening("leave", "room/a", "room/b")
    stayer, stayed = await listening("leave", "room/a")
    await leaver.unsubscribe("room/a")
    await leaver.unsubscribe("room/never")
    await stopper.stop()
    await speaker.publish("room/a", b"1")
    await speaker.publish("room/b", b"2")
    assert (left, stopped, stayed) == ([("room/b", b"2")], [], [("room/a", b"1")])
    await leaver.stop()
    await stayer.stop()
    assert speaker._bus.listeners == {}


async def test_a_subscription_takes_a_receiver() -> None:
    silent = MemoryBackplane("silent")
    await silent.subscribe("room/a")
    speaker, _ = await listening("silent")
    await speaker.publish("room/a", b"hi")
    assert silent._bus.listeners == {}


async def test_after_a_stop_it_can_start_again() -> None:
    backplane, before = await listening("again", "room/a")
    await backplane.stop()
    after: Heard = []
    await backplane.start(lambda topic, message: after.append((topic, message)))
    await backplane.subscribe("room/a")
    await (await listening("again"))[0].publish("room/a", b"hi")
    assert (before, after) == ([], [("room/a", b"hi")])


async def test_a_receiver_may_unsubscribe_while_it_is_told() -> None:
    listener = MemoryBackplane("nested")
    told: list[str] = []

    def unsubscribe(topic: str, message: bytes) -> None:
        told.append(topic)
        with pytest.raises(StopIteration):  # it is done at once, so this runs all of it
            listener.unsubscribe(topic).send(None)

    await listener.start(unsubscribe)
    await listener.subscribe("room/a")
    speaker, _ = await listening("nested")
    await speaker.publish("room/a", b"1")
    await speaker.publish("room/a", b"2")
    assert told == ["room/a"]


@pytest.mark.parametrize("url", ["memory://", "MEMORY://"])
def test_a_hub_that_is_alone_has_nobody_to_tell(url: str) -> None:
    assert backplane_from(url) is None


@pytest.mark.parametrize(
    ("url", "name"), [("memory://shop", "shop"), ("memory://shop/eu", "shop/eu"), ("memory://[x", "[x")]
)
def test_a_name_is_shared_by_all_hubs_of_the_process(url: str, name: str) -> None:
    one, other = backplane_from(url), backplane_from(url)
    assert isinstance(one, MemoryBackplane)
    assert isinstance(other, MemoryBackplane)
    assert one.name == name
    assert one._bus is other._bus


def test_an_object_with_the_protocol_is_taken_as_it_is() -> None:
    backplane = MemoryBackplane()
    assert isinstance(backplane, Backplane)
    assert backplane_from(backplane) is backplane


@pytest.mark.parametrize(
    ("url", "adapter"),
    [("redis://h/1?prefix=a", "wsproto_redis"), ("REDISS+CLUSTER://h", "wsproto_redis"), ("nats://h", "wsproto_nats")],
)
def test_an_engine_is_looked_up_by_its_scheme(url: str, adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Adapter:
        @staticmethod
        def backplane_from_url(given: str) -> Backplane:
            return MemoryBackplane(given)

    monkeypatch.setitem(sys.modules, adapter, Adapter)
    made = backplane_from(url)
    assert isinstance(made, MemoryBackplane)
    assert made.name == url


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("carrier://:secret@localhost", "the scheme 'carrier' is unknown"),
        ("localhost:6379/secret", "that is no URL"),
        ("memory", "that is no URL"),
        ("", "that is no URL"),
        (5, "a URL or an object with the Backplane protocol, not int"),
    ],
)
def test_what_is_no_backplane_is_refused_and_not_shown(value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refusal:
        backplane_from(value)
    assert "secret" not in str(refusal.value)
