"""What users of wsproto_nats meet: names of subjects, URLs, emitters, TLS, passwords, and what a server refuses."""

import asyncio
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.nats_server import NatsServer, RawNats
from tests.adapters.proxying import make_certificate
from wsproto_core import ActionContext, Event, Hub, Registry, Settings, connection, room, topic, user
from wsproto_core.backplane import backplane_from
from wsproto_core.blocking import loop_thread
from wsproto_core.errors import ConfigurationError, MissingAudienceError
from wsproto_core.testing import connect
from wsproto_core.testing.backplanes.engine import Ear, eventually
from wsproto_nats import AsyncNatsEmitter, NatsBackplane, NatsEmitter, subject_of
from wsproto_nats.addresses import read_url
from wsproto_nats.subjects import Subjects
from wsproto_nats.wire import Parser

registry = Registry()


class Said(Event, name="said", registry=registry):
    text: str


@registry.action("join")
async def join(payload: dict[str, str], context: ActionContext) -> Said:
    await context.join(payload["room"])
    return Said(text="joined")


@registry.action("follow")
async def follow(payload: dict[str, str], context: ActionContext) -> Said:
    await context.subscribe(payload["topic"])
    return Said(text="subscribed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("room/lobby", "wsproto.room.lobby"),
        ("room/a.b c", "wsproto.room.a_2Eb_20c"),
        ("room/*>", "wsproto.room._2A_3E"),
        ("user/42", "wsproto.user.42"),
        ("everyone/*", "wsproto.everyone._2A"),
        ("$presence/room/a", "wsproto._24presence.room.a"),
        ("sport/foot-ball", "wsproto.topic.sport.foot-ball"),
        ("/a//b/", "wsproto.topic._.a._.b._"),
        ("topic", "wsproto.topic.topic"),
        ("a_b", "wsproto.topic.a_5Fb"),
        ("żółw", "wsproto.topic._C5_BC_C3_B3_C5_82w"),
    ],
)
def test_a_topic_has_a_subject(name: str, subject: str) -> None:
    assert subject_of(name) == subject


def test_a_very_long_name_is_hashed_and_no_topic_is() -> None:
    assert len(subject_of("room/" + "ż" * 500)) == len("wsproto.long.") + 64
    assert subject_of("ż" * 127).startswith("wsproto.topic._C5_BC")


topics = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@given(topics, topics)
def test_no_two_topics_share_a_subject_and_each_is_read_back(one: str, other: str) -> None:
    subjects = Subjects()
    assert (subjects.of(one) == subjects.of(other)) == (one == other)
    subject = subjects.of(one)
    assert subject.isascii()
    assert " " not in subject
    assert all(subject.split("."))
    if subject.startswith("wsproto.topic."):
        assert subjects.topic_of(subject.encode()) == one


@pytest.mark.parametrize(
    ("name", "subjects"),
    [
        ("sport/+", ["wsproto.topic.sport.*"]),
        ("sport/#", ["wsproto.topic.sport", "wsproto.topic.sport.>"]),
        ("+/x/#", ["wsproto.topic.*.x", "wsproto.topic.*.x.>"]),
        ("#", ["wsproto.topic.>"]),
    ],
)
def test_a_filter_is_wildcards_of_nats(name: str, subjects: list[str]) -> None:
    assert Subjects().of_filter(name) == subjects


@pytest.mark.parametrize(
    "subject", [b"wsproto.topic.a_2e", b"wsproto.topic.a..b", b"wsproto.topic._41", b"wsproto.topic._FF", b"other.a"]
)
def test_what_is_the_subject_of_no_topic_is_refused(subject: bytes) -> None:
    with pytest.raises(ValueError, match=r"subject|decode"):
        Subjects().topic_of(subject)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nats://", "has no host"),
        ("nats://secret@:x", "a port that is none"),
        ("nats://u:secret@h:99999", "a port that is none"),
        ("nats://u:secret@h/path", "nothing follows the port"),
        ("nats://h,ws://u:secret@g", "the scheme 'ws' is unknown"),
        ("nats://h?secret", "the option 'secret' is unknown"),
        ("nats://u:secret@h?prefix=a b", "prefix: letters, digits"),
        ("nats://u:secret@h?prefix=.", "prefix: letters, digits"),
        ("nats://h?tls_ca=/nowhere", "cannot be read"),
        ("nats://h?credentials=/nowhere", "there is no file"),
    ],
)
def test_a_url_that_is_none_is_told_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        backplane_from(url)
    assert "secret" not in str(refused.value).replace("'secret'", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"servers": []}, "the list is empty"),
        ({"servers": 5}, "a URL such as"),
        ({"servers": [5]}, "has no host"),
        ({"signing_key": "short"}, "at least 16 bytes"),
        ({"tls": True}, "an ssl.SSLContext"),
    ],
)
def test_arguments_that_make_no_sense_are_told(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        NatsBackplane(**arguments)


def test_a_url_names_servers_users_and_options() -> None:
    addresses, options = read_url("tls://ada:p%40ss%2C@one:1,two,nats://token@[::1]:3?prefix=shop.live")
    assert [(each.host, each.port, each.encrypted) for each in addresses] == [
        ("one", 1, True),
        ("two", 4222, True),
        ("::1", 3, False),
    ]
    assert (addresses[0].user, addresses[0].password, addresses[2].user) == ("ada", "p@ss,", "token")
    assert options == {"prefix": "shop.live"}
    assert "p@ss" not in repr(addresses)


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 7))
def test_messages_are_cut_out_wherever_the_network_cuts(payloads: list[bytes], size: int) -> None:
    said = b"".join(
        b"MSG a.b %d %d\r\n%b\r\nPING\r\n" % (number, len(payload), payload)
        if number % 2
        else b"HMSG a.b %d reply 4 %d\r\nHEAD%b\r\nPING\r\n" % (number, len(payload) + 4, payload)
        for number, payload in enumerate(payloads)
    )
    messages: list[tuple[int, bytes, bytes]] = []
    verbs: list[bytes] = []
    parser = Parser(lambda *message: messages.append(message), lambda verb, rest: verbs.append(verb))
    for begin in range(0, len(said), size):
        parser.feed(said[begin : begin + size])
    assert messages == [(number, b"a.b", payload) for number, payload in enumerate(payloads)]
    assert verbs == [b"PING"] * len(payloads)


@pytest.mark.parametrize(
    "said", [b"MSG a\r\n", b"MSG a 1 x\r\n", b"MSG a 1 -5\r\n", b"HMSG a 1 9 5\r\n", b"x" * 2_000_000]
)
def test_what_is_no_nats_ends_the_connection(said: bytes) -> None:
    with pytest.raises(ConnectionError, match="is no NATS"):
        Parser(lambda *_: None, lambda *_: None).feed(said)


async def test_no_poison_ends_the_reading(server: NatsServer) -> None:
    backplane, ear = NatsBackplane(server.url), Ear()
    await backplane.start(ear)
    await backplane.subscribe("sport/#")
    await backplane.subscribe("room/a")
    raw = await asyncio.to_thread(RawNats, server.port)
    poison = [
        b"PUB wsproto.room.a \xff\xfe 2\r\nhi\r\n",  # a reply that is no text
        b"HPUB wsproto.room.a 4 6\r\n\xff\xff\r\nhi\r\n",  # headers that are none
        b"HPUB wsproto.room.a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        b"PUB wsproto.topic.sport.\xff 2\r\nhi\r\n",  # subjects that no backplane uses
        b"PUB wsproto.topic.sport.a\x0b7\x0b9 2\r\nhi\r\n",
        b"PUB wsproto.topic.sport.a_2e 2\r\nhi\r\n",
        b"PUB wsproto.topic.sport.%b 2\r\nhi\r\n" % (b"x" * 3_000),
    ]
    for each in poison:
        await asyncio.to_thread(raw.say, each)
    speaker = NatsBackplane(server.url)
    for number in range(100):
        await speaker.publish("room/a", b"%d" % number)
    await ear.hears(("room/a", b"99"))
    assert [each for each in ear.on("room/a") if each != b"hi"] == [b"%d" % number for number in range(100)]
    assert len(ear.malformed_ones) == 4
    assert ear.gaps == []
    raw.close()
    await speaker.stop()
    await backplane.stop()


class Slow:
    """A server that sends the copies of a message when the test says so, and knows one client.

    Attributes:
        port: where it listens.
        greeting: what it says to a subject that is subscribed, before it confirms that.
    """

    def __init__(self) -> None:
        self.port = 0
        self.greeting: dict[str, bytes] = {}
        self._numbers: dict[str, bytes] = {}
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> "Slow":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._writer.transport.abort()
        await self._server.wait_closed()

    def say(self, by: str, subject: str, payload: bytes) -> None:
        """Send the copy that belongs to a subject that is subscribed, or was."""
        self._writer.write(b"MSG %b %b %d\r\n%b\r\n" % (subject.encode(), self._numbers[by], len(payload), payload))

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.write(b'INFO {"server_id":"slow","version":"2.10.0","max_payload":1048576}\r\n')
        while line := await reader.readline():
            match line.split():
                case [b"PING"]:
                    writer.write(b"PONG\r\n")
                case [b"SUB", subject, number]:
                    name = subject.decode()
                    self._numbers[name] = number
                    if name in self.greeting:
                        self.say(name, name, self.greeting[name])
                case _:
                    pass


async def test_no_copy_is_lost_while_a_topic_of_a_filter_comes_and_goes() -> None:
    exact, wildcard, room_a = "wsproto.topic.sport.tennis", "wsproto.topic.sport.*", "wsproto.room.a"
    async with Slow() as server:
        backplane, ear = NatsBackplane(f"nats://127.0.0.1:{server.port}"), Ear()
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        await backplane.subscribe("sport/+")
        server.greeting[exact] = b"1"
        await backplane.subscribe("sport/tennis")
        server.say(wildcard, exact, b"1")
        server.say(wildcard, exact, b"2")
        server.say(room_a, room_a, b"it is going to leave")
        await ear.hears(("room/a", b"it is going to leave"))
        await backplane.unsubscribe("sport/tennis")
        server.say(exact, exact, b"2")
        server.say(wildcard, exact, b"3")
        server.say(room_a, room_a, b"it has left")
        await ear.hears(("room/a", b"it has left"))
        assert ear.on("sport/tennis") == [b"1", b"2", b"3"]
        await backplane.stop()


async def test_a_message_that_the_server_would_not_take_is_refused_here(server: NatsServer) -> None:
    backplane, ear = NatsBackplane(server.url), Ear()
    await backplane.start(ear)
    await backplane.subscribe("room/a")
    with pytest.raises(ValueError, match="more than the server's max_payload, 1048576"):
        await backplane.publish("room/a", b"x" * 1_048_577)
    async with AsyncNatsEmitter(server.url) as emitter:
        with pytest.raises(ValueError, match="max_payload"):
            await emitter.emit(Said(text="x" * 1_048_577), to=room("a"))
        await emitter.emit(Said(text="hi"), to=room("a"))
    await eventually(lambda: len(ear.on("room/a")) == 1)
    await backplane.stop()


async def test_a_server_that_reads_nothing_does_not_fill_the_memory(server: NatsServer) -> None:
    backplane = NatsBackplane(server.url)
    await backplane.start(Ear())
    server.signal(signal.SIGSTOP)

    async def pour() -> None:
        for _ in range(100):
            await backplane.publish("room/a", b"x" * 1_000_000)
            await asyncio.sleep(0)

    try:
        with pytest.raises(ConnectionError, match="as fast as they are published"):
            await pour()
    finally:
        server.signal(signal.SIGCONT)
    await backplane.stop()


@pytest.fixture
async def hub(server: NatsServer) -> AsyncIterator[Hub]:
    hub = Hub(Settings(registry=registry, backplane=server.url))
    yield hub
    await hub.stop()


def in_thread(work: Any) -> None:
    """Do it in a thread without an event loop, as plain functions are run."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


async def test_emitters_reach_clients_by_every_audience(server: NatsServer, hub: Hub) -> None:
    async with connect(hub, user_id=7) as client:
        await client.call("join", {"room": "lobby"})
        await client.call("follow", {"topic": "sport/+"})
        async with AsyncNatsEmitter([server.url]) as emitter:
            for number, audience in enumerate(
                [room("lobby"), user(7), topic("sport/tennis"), connection(client.connection_id)]
            ):
                await emitter.emit(Said(text=str(number)), to=audience)
                assert (await client.receive()).payload == {"text": str(number)}
            await emitter.emit(Said(text="not for you"), to=room("lobby"), exclude=client.connection_id)
            await emitter.emit(Said(text="once").to(room("lobby"), user(7)))
            assert (await client.receive()).payload == {"text": "once"}
            with pytest.raises(MissingAudienceError):
                await emitter.emit(Said(text="nobody"))

        def emit() -> None:
            with NatsEmitter(server.url) as plain:
                plain.emit(Said(text="from a thread"), to=room("lobby"))
                plain.disconnect(user(7), 3000, "Log in again.")

        await asyncio.to_thread(emit)
        assert (await client.receive()).payload == {"text": "from a thread"}
        assert tuple(await client.closed()) == (3000, "Log in again.")


async def test_emit_sync_of_a_process_without_connections_reaches_clients(server: NatsServer, hub: Hub) -> None:
    async with connect(hub, user_id=7) as client:
        other = Hub(Settings(registry=registry, backplane=server.url))
        await asyncio.to_thread(other.emit_sync, Said(text="hi"), user(7))
        assert (await client.receive()).payload == {"text": "hi"}
        await other.stop()
        await asyncio.to_thread(loop_thread.finish)


PROGRAM = """
import os, sys
from wsproto_core import Event, room
from wsproto_nats import NatsEmitter
class Said(Event, name="said"):
    text: str
emitter = NatsEmitter(sys.argv[1])
emitter.emit(Said(text="parent"), to=room("lobby"))
child = os.fork()
emitter.emit(Said(text="child" if child == 0 else "parent again"), to=room("lobby"))
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


async def test_a_script_that_forks_is_heard_and_ends_quietly(server: NatsServer) -> None:
    backplane, ear = NatsBackplane(server.url), Ear()
    await backplane.start(ear)
    await backplane.subscribe("room/lobby")
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-W", "error", "-c", PROGRAM, server.url], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    await eventually(lambda: len(ear.heard) == 3)
    await backplane.stop()


async def test_an_emitter_says_that_the_server_is_away(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"nats://127\.0\.0\.1:1: "):
        await AsyncNatsEmitter("nats://ada:secret@127.0.0.1:1").emit(Said(text="hi"), to=room("lobby"))


@pytest.mark.parametrize("kind", ["password", "token", "tls"])
async def test_logging_in_and_tls(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = make_certificate(tmp_path) if kind == "tls" else (Path(), Path())
    options = {
        "password": ["--user", "ada", "--pass", "p@ss"],
        "token": ["--auth", "t,ken"],
        "tls": ["--tls", "--tlscert", str(certificate), "--tlskey", str(key)],
    }
    with ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, NatsServer(tmp_path, *options[kind]))
        right, wrong = {
            "password": ("nats://ada:p%40ss@127.0.0.1:{}", "nats://ada:secret@127.0.0.1:{}"),
            "token": ("nats://t%2Cken@127.0.0.1:{}", "nats://secret@127.0.0.1:{}"),
            "tls": (f"tls://127.0.0.1:{{}}?tls_ca={certificate}", "tls://127.0.0.1:{}"),
        }[kind]
        backplane, ear = backplane_from(right.format(server.port)), Ear()
        assert backplane is not None
        await backplane.start(ear)
        await backplane.subscribe("room/a")
        async with AsyncNatsEmitter(right.format(server.port)) as emitter:
            await emitter.emit(Said(text="hi"), to=room("a"))
        await eventually(lambda: len(ear.heard) == 1)
        await backplane.stop()
        refused = backplane_from(wrong.format(server.port))
        assert refused is not None
        await refused.start(Ear())
        with pytest.raises(ConnectionError, match="NATS is away"):
            await refused.publish("room/a", b"hi")
        await refused.stop()
        assert "NATS is away, and is tried again" in caplog.text
        assert "secret" not in caplog.text


async def test_who_insists_on_tls_says_nothing_without_it(server: NatsServer) -> None:
    for url, options in (
        (server.url.replace("nats:", "tls:"), {}),
        (server.url, {"tls": ssl.create_default_context()}),
    ):
        with pytest.raises(ConnectionError, match="does not speak TLS"):
            await NatsBackplane(url, **options).publish("room/a", b"hi")


async def test_prefixes_keep_applications_apart(server: NatsServer) -> None:
    ears = [Ear(), Ear()]
    backplanes = [NatsBackplane(server.url, prefix=prefix) for prefix in ("shop", "shop.live")]
    for backplane, ear in zip(backplanes, ears, strict=True):
        await backplane.start(ear)
        await backplane.subscribe("#")
        await backplane.subscribe("room/a")
    async with AsyncNatsEmitter(f"{server.url}?prefix=shop") as emitter:
        await emitter.emit(Said(text="hi"), to=[room("a"), topic("b")])
    await eventually(lambda: len(ears[0].heard) == 2)
    assert ears[1].heard == []
    for backplane in backplanes:
        await backplane.stop()
