"""Every way to reach Redis: URLs, TLS, logins, Unix sockets, Sentinels; forks; and what an idle process costs."""

import asyncio
import contextlib
import datetime
import ipaddress
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.crc import key_slot

from tests.adapters.engines import RedisServer, cpu_seconds, off_loop, redis_cluster, running
from tests.adapters.serving import ROOT, reserve_port
from tests.interpreter import import_error
from wsproto_core import ConfigurationError
from wsproto_core.backplane import backplane_from
from wsproto_core.testing.backplanes import Ear
from wsproto_core.testing.backplanes.engine import eventually
from wsproto_redis import RedisBackplane, RedisEmitter, RedisPresenceStore, backplane_from_url
from wsproto_redis.link import open_link
from wsproto_redis.urls import read_url


@asynccontextmanager
async def talking(url: str, **options: Any) -> AsyncIterator[tuple[RedisBackplane, RedisBackplane, Ear]]:
    """Two backplanes, one of which listens to a room; they have talked."""
    speaker, listener, ear = RedisBackplane(url, **options), RedisBackplane(url, **options), Ear()
    try:
        await speaker.start(Ear())
        await listener.start(ear)
        await listener.subscribe("room/a")
        await speaker.publish("room/a", b"hi")
        await ear.hears(("room/a", b"hi"))
        yield speaker, listener, ear
    finally:
        await speaker.stop()
        await listener.stop()


@pytest.mark.parametrize(
    ("url", "kind", "addresses", "login"),
    [
        ("redis://", "single", (("localhost", 6379),), {}),
        ("redis://:p%40ss@h:7000/3", "single", (("h", 7000),), {"password": "p@ss", "db": 3}),
        ("rediss://ada:pw@h/0?db=2", "single", (("h", 6379),), {"username": "ada", "password": "pw", "db": 2}),
        ("redis://[::1]:7000", "single", (("::1", 7000),), {}),
        ("redis+unix:///run/redis.sock?db=1", "unix", (), {"db": 1}),
        ("redis+sentinel://a:1,b/mymaster/4", "sentinel", (("a", 1), ("b", 26379)), {"db": 4}),
        ("rediss+cluster://:pw@a:1,b,c:3", "cluster", (("a", 1), ("b", 6379), ("c", 3)), {"password": "pw"}),
    ],
)
def test_urls_say_where_redis_is(url: str, kind: str, addresses: Any, login: dict[str, Any]) -> None:
    location, _ = read_url(url)
    assert (location.kind, location.addresses, dict(location.login)) == (kind, addresses, login)
    assert (location.tls is not None) == url.startswith("rediss")
    assert "pw" not in repr(location) + str(location) + repr(backplane_from_url(url))
    assert isinstance(backplane_from(url), RedisBackplane)


def test_options_may_be_in_the_url_or_given() -> None:
    _, options = read_url(
        "redis://h?prefix=shop:&timeout=7&signing_key=sixteen+letters+x&signing_key=another+sixteen+l"
    )
    assert (options.prefix, options.timeout) == ("shop:", 7.0)
    assert options.signing_key == ("sixteen letters x", "another sixteen l")
    _, options = read_url("redis://h?prefix=shop:", prefix="other:")
    assert options.prefix == "other:"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:secret@h:port", "a port is a number"),
        ("redis://:secret@h:99999", "a port is a number"),
        ("redis://:secret@h/secretdb", "a database is a number"),
        ("redis://:secret@h/0/1", "only the number of a database"),
        ("redis://:secret@h?prefix", "cannot be read"),
        ("redis://:secret@h?color=red", "unknown option 'color'"),
        ("redis://:secret@h?ssl_ca_certs=x", "unknown option 'ssl_ca_certs'"),
        ("redis://:secret@h?timeout=soon", "'timeout' in the URL is a number, not 'soon'"),
        ("redis://:secret@h?timeout=0", "timeout: a number of seconds"),
        ("redis://:secret@h?queue_messages=0", "queue_messages: a whole number"),
        ("redis://:secret@h?prefix=a*", "prefix: a text without"),
        ("redis://:secret@h?signing_key=short", "at least 16 bytes"),
        ("redis+unix://:secret@host/run/redis.sock", "a Unix socket is absolute"),
        ("redis+unix://", "a Unix socket is absolute"),
        ("redis+sentinel://:secret@h", "say which service"),
        ("redis+cluster://:secret@h/0", "a cluster has no databases"),
        ("redis+cluster://:secret@h?db=1", "unknown option 'db'"),
        ("redis+carrier://:secret@h", "the scheme 'redis+carrier' is unknown"),
        ("redis://[:secret@h", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)) as refused:
        backplane_from_url(url)
    assert "secret" not in str(refused.value).replace("secretdb", "")
    assert str(refused.value).count("\n") == 0
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("library", ["redis", "hiredis"])
def test_a_missing_library_is_named(library: str) -> None:
    assert f"wsproto_redis needs {library}, which is not installed: pip install 'wsproto-core[redis]'" in import_error(
        "wsproto_redis", without=library
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis under test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


async def test_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = map(str, certificate)
    with reserve_port() as plain:
        arguments = ("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
        arguments += ("--tls-auth-clients", "no")
        server = RedisServer(tmp_path, login={"ssl": True, "ssl_ca_certs": cert})
        server._arguments = (*arguments, "--port", str(plain.getsockname()[1]), "--tls-port", str(server.port))
        with running(server):
            url = f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={cert}"
            async with talking(url) as (speaker, _, ear):
                messages = [bytes(range(256)) * number for number in range(1, 200)]
                for message in messages:
                    await speaker.publish("room/a", message)
                await ear.hears_on("room/a", [b"hi", *messages])
                await off_loop(server.cut)
                await eventually(lambda: bool(ear.gaps))
            # Whom nobody vouches for is not talked to.
            for doubtful in (
                f"rediss://127.0.0.1:{server.port}",
                f"rediss://localhost:{server.port}?ssl_ca_certs={cert}",
            ):
                backplane = RedisBackplane(doubtful)
                await backplane.start(Ear())
                with pytest.raises(ConnectionError):
                    await backplane.publish("room/a", b"hi")
                await backplane.stop()


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with running(RedisServer(tmp_path / "redis", ("--unixsocket", str(path)))) as server:
        async with talking(f"redis+unix://{path}?db=1") as (_, _, ear):
            await off_loop(server.cut)
            await eventually(lambda: bool(ear.gaps))
        with RedisEmitter(f"redis+unix://{path}") as emitter:
            assert emitter.disconnect(_nobody()) == 0


def _nobody() -> Any:
    from wsproto_core import user

    return user("nobody")


async def test_logins_and_what_they_may(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = (
        *("--user", "default", "on", ">s3cret", "~*", "&*", "+@all"),
        *("--user", "ada", "on", ">pass", "~*", "&shop:*", "+@all", "-@dangerous", "+client|info"),
        *("--user", "poor", "on", ">pass", "~*", "&shop:room/a", "+publish", "+subscribe", "+unsubscribe"),
        *("+hello", "+ping"),
    )
    with running(RedisServer(tmp_path, users, login={"password": "s3cret"})) as server:
        where = f"127.0.0.1:{server.port}"
        for url in (f"redis://:s3cret@{where}", f"redis://ada:pass@{where}?prefix=shop:"):
            async with talking(url):
                pass
        async with talking(f"redis://poor:pass@{where}?prefix=shop:") as (speaker, listener, ear):
            # What is not allowed is told to whoever asks for it, and harms nobody else.
            results = await asyncio.gather(
                *(listener.subscribe(topic) for topic in ("room/a", "room/b", "room/c")), return_exceptions=True
            )
            assert [str(each)[:6] for each in results] == ["None", "NOPERM", "NOPERM"]
            await speaker.publish("room/b", b"refused")
            with contextlib.suppress(Exception):
                await speaker.publish("room/a", b"perhaps")
            await eventually(lambda: _refuses(speaker))
            await speaker.publish("room/a", b"after")
            await ear.hears(("room/a", b"after"))
        stranger = RedisBackplane(f"redis://:wrong-s3cret@{where}")
        await stranger.start(Ear())
        with pytest.raises(ConnectionError):
            await stranger.publish("room/a", b"hi")
        await stranger.stop()
    assert "pass" not in caplog.text.lower().replace("username-password", "").replace("invalid username", "").replace(
        "password pair", ""
    )


async def _refuses(speaker: RedisBackplane) -> bool:
    try:
        await speaker.publish("room/b", b"refused")
    except Exception as error:
        return "NOPERM" in str(error) or "permissions" in str(error)
    return False


async def test_sentinels_name_a_new_primary(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(running(RedisServer(tmp_path / "first")))
        second = stack.enter_context(
            running(RedisServer(tmp_path / "second", ("--replicaof", f"127.0.0.1 {first.port}")))
        )
        sentinels = []
        for number in range(3):
            configuration = (
                f"sentinel monitor shop 127.0.0.1 {first.port} 2",
                "sentinel down-after-milliseconds shop 500",
                "sentinel failover-timeout shop 2000",
            )
            server = RedisServer(tmp_path / f"sentinel{number}", configuration, sentinel=True)
            sentinels.append(stack.enter_context(running(server)))
        await eventually(lambda: all(_knows_all(each) for each in sentinels))
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
        async with talking(f"redis+sentinel://{hosts}/shop/0") as (speaker, _, ear):
            # One of the Sentinels goes as well.
            sentinels[0].kill()
            first.kill()

            async def is_heard() -> bool:
                with contextlib.suppress(ConnectionError):
                    await speaker.publish("room/a", b"after")
                return ("room/a", b"after") in ear.heard

            await eventually(is_heard)
            assert ear.gaps
            with second.client() as client:
                assert client.role()[0] == b"master"
            assert len([each for each in second.held() if each.startswith("connection")]) == 4
            with RedisEmitter(f"redis+sentinel://{hosts}/shop") as emitter:
                assert emitter.disconnect(_nobody()) == 0
        lost = RedisBackplane(f"redis+sentinel://{hosts}/unknown")
        await lost.start(Ear())
        with pytest.raises(ConnectionError):
            await lost.publish("room/a", b"hi")
        await lost.stop()


def _knows_all(sentinel: RedisServer) -> bool:
    with sentinel.client() as client:
        state = client.sentinel_masters()["shop"]
    return (state["num-other-sentinels"], state["num-slaves"]) == (2, 1)


async def test_slots_of_a_cluster_move_to_another_node(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as nodes:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        topics = [f"room/{number}" for number in range(30)]
        async with talking(f"redis+cluster://{hosts}") as (speaker, listener, ear):
            await asyncio.gather(*map(listener.subscribe, topics))
            with ExitStack() as stack:
                clients = [stack.enter_context(node.client()) for node in nodes]
                target = clients[1].execute_command("CLUSTER", "MYID")
                slots = {key_slot(f"wsproto:{topic}".encode()) for topic in topics}
                moving = [slot for slot in slots if slot < 16_384 // 3]
                assert moving
                for client in (clients[1], clients[0], clients[2]):
                    for slot in moving:
                        await off_loop(client.execute_command, "CLUSTER", "SETSLOT", slot, "NODE", target)

            async def is_heard() -> bool:
                for topic in topics:
                    with contextlib.suppress(Exception):
                        await speaker.publish(topic, b"after")
                await asyncio.sleep(0.1)
                return {topic for topic, message in ear.heard if message == b"after"} == set(topics)

            await eventually(is_heard)
            assert ear.gaps
            before = len(ear.heard)
            for topic in topics:
                await speaker.publish(topic, b"last")
            await ear.hears(*((topic, b"last") for topic in topics))
            assert len([each for each in ear.heard[before:] if each[1] == b"last"]) == len(topics)


async def test_an_idle_process_uses_no_processor_time(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        script = f"""
            import asyncio
            from wsproto_redis import RedisBackplane
            from wsproto_core.testing.backplanes import Ear
            async def main():
                backplane = RedisBackplane({server.url!r}, keepalive=2)
                await backplane.start(Ear())
                await asyncio.gather(*(backplane.subscribe(f"room/{{n}}") for n in range(1000)))
                await backplane.subscribe("sport/#")
                print("ready", flush=True)
                await asyncio.sleep(3600)
            asyncio.run(main())
        """
        with (
            subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
                [sys.executable, "-c", textwrap.dedent(script)],
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
            ) as process
        ):
            try:
                assert process.stdout is not None
                assert await off_loop(process.stdout.readline) == b"ready\n"
                before = cpu_seconds(process.pid)
                await asyncio.sleep(6)
                used = cpu_seconds(process.pid) - before
            finally:
                process.send_signal(signal.SIGKILL)
        # Asked thrice whether Redis is there, for 6 s: a process that spins would have used 6.
        assert used <= 0.1, used


async def test_a_process_that_was_forked_has_connections_of_its_own(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        script = f"""
            import asyncio, os, sys
            from wsproto_redis import RedisBackplane
            from wsproto_core.testing.backplanes import Ear
            backplane = RedisBackplane({server.url!r})
            ear = Ear()
            async def use(name):
                await backplane.start(ear)
                await backplane.subscribe("room/a")
                await backplane.publish("room/b", name)
            loop = asyncio.new_event_loop()
            loop.run_until_complete(use(b"parent"))
            pid = os.fork()
            if pid == 0:
                async def child():
                    await use(b"child")
                    await ear.hears(("room/a", b"for all"))
                    await backplane.stop()
                asyncio.run(child())
                os._exit(0)
            async def parent():
                await ear.hears(("room/a", b"for all"))
                while os.waitpid(pid, os.WNOHANG) == (0, 0):
                    await asyncio.sleep(0.01)
                await backplane.publish("room/b", b"parent again")
                await backplane.stop()
            loop.run_until_complete(parent())
            loop.close()
            print("done")
        """
        listener, ear = RedisBackplane(server.url), Ear()
        await listener.start(ear)
        await listener.subscribe("room/b")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", textwrap.dedent(script),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
        )  # fmt: skip
        try:
            await ear.hears(("room/b", b"parent"), ("room/b", b"child"))
            await listener.publish("room/a", b"for all")
            output, _ = await asyncio.wait_for(process.communicate(), 20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert output == b"done\n"
        await ear.hears_on("room/b", [b"parent", b"child", b"parent again"])
        await listener.stop()


async def test_whoever_publishes_faster_than_redis_takes_it_waits(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        options = {"queue_messages": 10, "timeout": 20}
        async with talking(server.url, **options) as (speaker, _, ear):
            server.pause()
            publishing = [asyncio.create_task(speaker.publish("room/a", b"%d" % number)) for number in range(100)]
            done, waiting = await asyncio.wait(publishing, timeout=0.5)
            assert (len(done), len(waiting)) == (10, 90)
            server.resume()
            await asyncio.gather(*waiting)
            await ear.hears_on("room/a", [b"hi", *(b"%d" % number for number in range(100))])
        async with talking(server.url, max_message_bytes=1_000) as (speaker, _, ear):
            with pytest.raises(ValueError, match="over max_message_bytes"):
                await speaker.publish("room/a", b"x" * 1_001)
            with server.client() as client:
                client.publish("wsproto:room/a", b"x" * 1_001)
            await speaker.publish("room/a", b"next")
            await ear.hears_on("room/a", [b"hi", b"next"])
            assert ear.malformed_ones == ["on 'room/a': 1001 bytes"]


async def test_a_stop_does_not_wait_for_a_connection_that_swallows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py's handshake may on Python 3.11: it uses ``asyncio.wait_for``."""
    under_way = asyncio.Event()

    async def deaf(*arguments: Any, **options: Any) -> Any:
        under_way.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await open_link(*arguments, **options)

    with running(RedisServer(tmp_path)) as server:
        backplane = RedisBackplane(f"redis://127.0.0.1:{server.port}")
        await backplane.start(Ear())
        monkeypatch.setattr("wsproto_redis.node.open_link", deaf)
        await off_loop(server.cut)
        await under_way.wait()
        await backplane.stop()
        monkeypatch.undo()
        assert [task.get_name() for task in asyncio.all_tasks() if "wsproto_redis" in task.get_name()] == []


async def test_what_a_pattern_hears_on_a_channel_that_is_no_topic_is_counted(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        async with talking(server.url) as (speaker, listener, ear):
            await listener.subscribe("#")
            with server.client() as client:
                client.publish(b"wsproto:topic/\xff\xfe", b"x")
                client.publish(b"other:topic/a", b"x")
            for number in range(100):
                await speaker.publish("sport", b"%d" % number)
            await ear.hears_on("sport", [b"%d" % number for number in range(100)])
            assert len(ear.malformed_ones) == 1


async def test_a_pattern_that_is_wanted_again_at_once_is_left_in_the_end(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        async with talking(server.url) as (speaker, listener, ear):
            for turns in [*range(5)] * 4:
                # Both are for the pattern sport/*.
                await listener.subscribe("sport/+")
                leaving = asyncio.create_task(listener.unsubscribe("sport/+"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await listener.subscribe("sport/#")
                await leaving
                await speaker.publish("sport/tennis", b"hi")
                await eventually(lambda: bool(ear.heard))
                ear.heard.clear()
                await listener.unsubscribe("sport/#")
                assert not [each for each in await off_loop(server.held) if "pattern" in each or "sport" in each]


def test_the_machine_has_a_redis_that_can_do_all_this() -> None:
    output = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    assert int(output.split("v=")[1].split(".")[0]) >= 7


async def test_one_node_of_a_cluster_ends_and_the_rooms_of_the_others_go_on(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as nodes:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        topics = [f"room/{number}" for number in range(30)]
        mine = [topic for topic in topics if key_slot(f"wsproto:{topic}".encode()) < 16_384 // 3]
        others = [topic for topic in topics if topic not in mine]
        async with talking(f"redis+cluster://{hosts}") as (speaker, listener, ear):
            await asyncio.gather(*map(listener.subscribe, topics))
            nodes[0].kill()

            async def is_noticed() -> bool:
                try:
                    await speaker.publish(mine[0], b"away")
                except ConnectionError:
                    return True
                return False

            await eventually(is_noticed)
            for topic in others:
                await speaker.publish(topic, b"meanwhile")
            await ear.hears(*((topic, b"meanwhile") for topic in others))
            await off_loop(nodes[0].start)

            async def is_heard() -> bool:
                with contextlib.suppress(Exception):
                    await speaker.publish(mine[0], b"after")
                return (mine[0], b"after") in ear.heard

            await eventually(is_heard)
            await speaker.publish(mine[-1], b"last")
            await ear.hears((mine[-1], b"last"))
            missed = {topic for gap in ear.gaps for topic in gap or ()}
            assert set(mine) <= missed


@pytest.mark.timeout(150)  # two hundred processes
async def test_two_hundred_processes_that_were_killed_leave_nothing(tmp_path: Path) -> None:
    with running(RedisServer(tmp_path)) as server:
        script = f"""
            import asyncio, os, signal
            from wsproto_redis import RedisBackplane
            from wsproto_core.testing.backplanes import Ear
            async def live_and_die(number):
                backplane, ear = RedisBackplane({server.url!r}), Ear()
                store = backplane.presence_store()
                await backplane.start(ear)
                topics = ["room/all", "sport/#", *(f"room/{{number}} {{each}}" for each in range(20))]
                await asyncio.gather(*map(backplane.subscribe, topics))
                await store.renew(f"p{{number}}", 0.01)
                await store.add(f"p{{number}}", [("room/all", "ref", number)])
                for each in range(10):
                    await backplane.publish("room/all", b"%d" % each)
                await ear.hears(("room/all", b"9"))
                os.kill(os.getpid(), signal.SIGKILL)
            for number in range(200):
                pid = os.fork()
                if pid == 0:
                    asyncio.run(live_and_die(number))
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
            print("done")
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(script),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 100)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert output == b"done\n", output.decode()
        store = RedisPresenceStore(server.url)

        async def is_clean() -> bool:
            return (await store.renew("last", 30)).alive == {"last"}

        await eventually(is_clean)
        await store.renew("last", 30)
        await store.leave("last")
        await store.aclose()
        await eventually(lambda: server.held() == [])
