"""The channel layer as a backplane: names of groups, messages, and layers that fail."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from typing import Any

import pytest
from channels.layers import BaseChannelLayer, channel_layers
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

if not settings.configured:
    settings.configure(CHANNEL_LAYERS={})

from tests.adapters.talking import PATIENCE
from wsproto_channels import ChannelLayerBackplane, event_message, group_name
from wsproto_channels.groups import group_of, publication_message, read_message
from wsproto_channels.layer_messages import layer_messages
from wsproto_core import Event, Registry, connection, everyone, room, topic, user
from wsproto_core.errors import ConfigurationError
from wsproto_core.publications import read_publication


class Said(Event, name="said", registry=Registry()):
    text: str


VALID = re.compile(r"[a-zA-Z0-9._-]{1,99}")


@pytest.mark.parametrize(
    ("audience", "name"),
    [
        (room("lobby"), "wsproto.room.lobby"),
        ("room/lobby", "wsproto.room.lobby"),
        (user(42), "wsproto.user.42"),
        (everyone(), "wsproto.everyone._2A"),
        (topic("sport/foot-ball"), "wsproto.sport.foot-ball"),
        (connection("a.b_c"), "wsproto.connection.a_2Eb_5Fc"),
        (room("zażółć"), "wsproto.room.za_C5_BC_C3_B3_C5_82_C4_87"),
        (room("x" * 86), "wsproto.room." + "x" * 86),
        (room("x" * 87), f"wsproto_{sha256(b'room/' + b'x' * 87).hexdigest()}"),
    ],
)
def test_a_group_has_a_name_that_channels_takes(audience: Any, name: str) -> None:
    assert group_name(audience) == name
    assert VALID.fullmatch(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_topics_share_a_name(one: str, other: str) -> None:
    names = []
    for text in (one, other):
        try:
            text.encode()
        except UnicodeEncodeError:
            return
        names.append(group_of(text))
        assert VALID.fullmatch(names[-1])
        BaseChannelLayer().require_valid_group_name(names[-1])
    assert (names[0] == names[1]) == (one == other)


def test_the_message_of_an_event_says_whom_it_is_for() -> None:
    message = event_message(Said(text="hi").to(room("a b/c"), user(7), exclude=["x"]))
    assert {**message, "id": "…"} == {
        "type": "wsproto.event",
        "id": "…",
        "to": ["room/a b%2Fc", "user/7"],
        "event": "said",
        "payload": {"text": "hi"},
        "exclude": ["x"],
    }
    name, raw = read_message(message)
    publication = read_publication(raw)
    assert name == "room/a b%2Fc"
    assert publication.audiences == (room("a b/c"), user(7))
    assert (publication.id, publication.event, publication.payload) == (message["id"], "said", '{"text":"hi"}')
    assert publication.exclude == {"x"}


@pytest.mark.parametrize("audience", [connection("c"), everyone(), topic("sport/football"), room("+#%")])
def test_every_audience_comes_back_as_it_was(audience: Any) -> None:
    _, raw = read_message(event_message(Said(text="hi"), to=audience))
    assert read_publication(raw).audiences == (audience,)


def test_an_event_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="goes to nobody: say to="):
        event_message(Said(text="hi"))


class Layer(BaseChannelLayer):
    """A layer that fails when it is told to."""

    group_expiry = 86_400.0

    def __init__(self) -> None:
        super().__init__()
        self.members: set[tuple[str, str]] = set()
        self.asked: Counter[str] = Counter()
        self.error: Exception | None = None
        self.hangs = False
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.channels = 0
        self.sends = asyncio.Event()
        self.sends.set()

    async def _step(self, what: str) -> None:
        self.asked[what] += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def new_channel(self, prefix: str = "specific") -> str:
        self.channels += 1
        return f"{prefix}.of!{self.channels}"

    async def receive(self, channel: str) -> Any:
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def group_add(self, group: str, channel: str) -> None:
        await self._step("add")
        self.members.add((group, channel))

    async def group_discard(self, group: str, channel: str) -> None:
        await self._step("discard")
        self.members.discard((group, channel))

    async def group_send(self, group: str, message: Any) -> None:
        await self._step("send")
        await self.sends.wait()
        for _ in [channel for name, channel in self.members if name == group]:
            self.messages.put_nowait(message)

    async def send(self, channel: str, message: Any) -> None:
        await self._step("answer")


class Listener:
    """A backplane on such a layer, and what it hears."""

    def __init__(self) -> None:
        self.layer = Layer()
        channel_layers.set("of a test", self.layer)
        self.backplane = ChannelLayerBackplane("of a test")
        self.heard: list[tuple[str, bytes]] = []
        self.malformed_ones: list[str] = []
        self.gaps = 0
        self.news = asyncio.Event()

    def __call__(self, topic: str, message: bytes) -> None:
        self.heard.append((topic, message))
        self.news.set()
        if message == b"bad":
            raise RuntimeError("of a test")

    def malformed(self, what: str) -> None:
        self.malformed_ones.append(what)

    def gap(self, topics: Iterable[str] | None = None) -> None:
        assert topics is None
        self.gaps += 1

    def topics(self) -> set[tuple[str, str]]:
        """Who is in which group, but for those that are not of topics."""
        return {(group, channel) for group, channel in self.layer.members if "_24" not in group}

    async def hears(self, count: int) -> list[tuple[str, bytes]]:
        async with asyncio.timeout(PATIENCE):
            while len(self.heard) < count:
                await self.news.wait()
                self.news.clear()
        return self.heard


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    await listener.backplane.start(listener)
    yield listener
    listener.layer.error, listener.layer.hangs = None, False
    await listener.backplane.stop()
    channel_layers.backends.pop("of a test")


async def until(check: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not check():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.01)


async def test_it_hears_what_is_published_and_is_in_the_groups_of_its_topics(listener: Listener) -> None:
    await listener.backplane.subscribe("room/a")
    await listener.backplane.subscribe("room/b")
    await listener.backplane.unsubscribe("room/a")
    assert listener.topics() == {("wsproto.room.b", "wsproto.of!1")}
    listener.layer.messages.put_nowait(publication_message("room/b", b"hi"))
    listener.layer.messages.put_nowait({"type": "of.another.consumer"})
    listener.layer.messages.put_nowait(publication_message("room/b", b"\xff"))
    assert await listener.hears(2) == [("room/b", b"hi"), ("room/b", b"\xff")]
    assert listener.malformed_ones == ["on the channel layer: no message for clients"]
    await listener.backplane.stop()
    assert listener.layer.members == set()


async def test_of_a_topic_and_a_filter_the_copy_that_comes_first_counts(listener: Listener) -> None:
    await listener.backplane.subscribe("sport/+")
    await listener.backplane.subscribe("sport/tennis")
    # The first one was said before the group of its own topic was joined, the last one after that of all was left.
    for message, to_all in ((b"1", True), (b"2", False), (b"2", True), (b"3", True), (b"3", False), (b"4", False)):
        listener.layer.messages.put_nowait(publication_message("sport/tennis", message, to_all=to_all))
    # Nobody here listens to that.
    listener.layer.messages.put_nowait(publication_message("music", b"5", to_all=True))
    listener.layer.messages.put_nowait(publication_message("user/1", b"6"))
    expected = [*(("sport/tennis", message) for message in (b"1", b"2", b"3", b"4")), ("user/1", b"6")]
    await until(lambda: ("user/1", b"6") in listener.heard)
    assert listener.heard == expected


async def test_a_message_that_cannot_be_delivered_is_passed_over(listener: Listener) -> None:
    for message in (b"bad", b"good"):
        listener.layer.messages.put_nowait(publication_message("room/b", message))
    assert (await listener.hears(2))[1] == ("room/b", b"good")


async def test_others_have_their_turn_while_messages_are_at_hand(listener: Listener) -> None:
    for _ in range(1_000):
        listener.layer.messages.put_nowait(publication_message("room/b", b"hi"))
    turns = 0
    while len(listener.heard) < 1_000:
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20


async def test_a_group_that_could_not_be_joined_is_joined_later(listener: Listener) -> None:
    listener.layer.error = ConnectionError("no engine")
    await listener.backplane.subscribe("room/a")
    await until(lambda: listener.layer.asked["add"] >= 3)
    assert listener.gaps == 0
    listener.layer.error = None
    await until(lambda: listener.gaps == 1)
    await until(lambda: listener.topics() == {("wsproto.room.a", "wsproto.of!1")})


async def test_after_a_failure_all_groups_are_joined_again_and_reading_goes_on(listener: Listener) -> None:
    await listener.backplane.subscribe("room/a")
    listener.layer.members.clear()
    for message in (ConnectionError("gone"), ConnectionError("still gone"), publication_message("room/a", b"hi")):
        listener.layer.messages.put_nowait(message)
    assert await listener.hears(1) == [("room/a", b"hi")]
    await until(lambda: listener.topics() == {("wsproto.room.a", "wsproto.of!1")})
    await until(lambda: listener.gaps == 1)


async def test_a_group_that_is_left_and_joined_while_the_layer_comes_back_is_joined(listener: Listener) -> None:
    await listener.backplane.subscribe("room/a")
    listener.layer.sends.clear()
    sent = listener.layer.asked["send"]
    listener.layer.messages.put_nowait(ConnectionError("gone"))
    # All groups are joined again by now, and it waits for its echo.
    await until(lambda: listener.layer.asked["send"] > sent)
    await listener.backplane.unsubscribe("room/a")
    await listener.backplane.subscribe("room/a")
    listener.layer.sends.set()
    await until(lambda: listener.gaps == 1)
    assert listener.topics() == {("wsproto.room.a", "wsproto.of!1")}


async def test_a_group_that_cannot_be_left_is_no_reason_to_fail(listener: Listener) -> None:
    await listener.backplane.subscribe("room/a")
    listener.layer.error = ConnectionError("no engine")
    await listener.backplane.unsubscribe("room/a")
    await listener.backplane.stop()


async def test_a_layer_that_fails_is_not_asked_for_each_event(listener: Listener) -> None:
    await listener.backplane.publish("room/a", b"hi")
    before = listener.layer.asked["send"]
    listener.layer.error = ConnectionError("no engine")
    for _ in range(10):
        with pytest.raises(ConnectionError):
            await listener.backplane.publish("room/a", b"hi")
    assert listener.layer.asked["send"] == before + 1


async def test_a_layer_that_does_not_answer_holds_nobody_up(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_channels.writing.TIMEOUT", 0.01)
    listener.layer.hangs = True
    with pytest.raises(TimeoutError):
        await listener.backplane.publish("room/a", b"hi")


async def test_memberships_are_renewed_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Layer, "group_expiry", 0.04)
    listener = Listener()
    await listener.backplane.start(listener)
    await listener.backplane.subscribe("room/a")
    listener.layer.members.clear()
    await until(lambda: listener.topics() == {("wsproto.room.a", "wsproto.of!1")})
    await listener.backplane.stop()
    channel_layers.backends.pop("of a test")


async def test_a_new_start_leaves_the_groups_of_the_channel_before(listener: Listener) -> None:
    await listener.backplane.subscribe("room/a")
    await listener.backplane.start(listener)
    await listener.backplane.subscribe("room/b")
    assert listener.topics() == {("wsproto.room.b", "wsproto.of!2")}


async def test_what_was_not_started_listens_to_nothing_and_may_publish() -> None:
    listener = Listener()
    await listener.backplane.subscribe("room/a")
    await listener.backplane.unsubscribe("room/a")
    await listener.backplane.publish("room/a", b"hi")
    await listener.backplane.stop()
    assert listener.layer.asked == {"send": 1}
    channel_layers.backends.pop("of a test")


async def test_a_layer_that_is_not_there_is_told() -> None:
    backplane = ChannelLayerBackplane("nowhere")
    with pytest.raises(ConfigurationError, match="no channel layer 'nowhere' in CHANNEL_LAYERS"):
        await backplane.start(Listener())


class Consumer:
    """A consumer that takes messages of a channel of its own."""

    groups = ("chat", "news")

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def dispatch(self, message: Any) -> None:
        self.taken.append(message)


async def test_a_connection_goes_on_reading_its_channel_after_the_layer_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    layer, consumer = Layer(), Consumer()
    async with layer_messages(consumer, layer) as channel:
        both = {("chat", channel), ("news", channel)}
        assert layer.members == both
        layer.members.clear()
        for message in (ConnectionError("gone"), ConnectionError("still gone"), {"type": "a"}):
            layer.messages.put_nowait(message)
        await until(lambda: consumer.taken == [{"type": "a"}])
        assert layer.members == both
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        layer.messages.put_nowait(ConnectionError("gone again"))
        layer.messages.put_nowait({"type": "b"})
        await until(lambda: consumer.taken == [{"type": "a"}, {"type": "b"}])
        assert "gone again" in caplog.text
    assert layer.members == set()


async def test_the_groups_of_a_connection_are_joined_when_the_layer_works_again() -> None:
    layer, consumer = Layer(), Consumer()
    async with layer_messages(consumer, layer) as channel:
        layer.members.clear()
        layer.error = ConnectionError("no engine")
        before = layer.asked["add"]
        layer.messages.put_nowait(ConnectionError("gone"))
        await until(lambda: layer.asked["add"] >= before + 2)
        layer.error = None
        await until(lambda: layer.members == {("chat", channel), ("news", channel)})
        layer.error = ConnectionError("no engine")


async def test_a_read_that_a_layer_gives_up_because_nothing_came_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wsproto_channels.layer_messages.PATIENT", -1)
    layer, consumer = Layer(), Consumer()
    async with layer_messages(consumer, layer):
        for message in (TimeoutError(), {"type": "a"}):
            layer.messages.put_nowait(message)
        await until(lambda: consumer.taken == [{"type": "a"}])
    assert caplog.records == []
    assert layer.asked["add"] == 2
