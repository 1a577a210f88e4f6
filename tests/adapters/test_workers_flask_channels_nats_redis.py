"""Views of Flask and Django under gunicorn with several workers: what one of them emits reaches the clients of all."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.adapters.engines import RedisServer, running
from tests.adapters.hosts import DJANGO, FLASK, GUNICORN
from tests.adapters.nats_server import NatsServer
from tests.adapters.serving import ROOT, Server
from tests.adapters.talking import PATIENCE, Client
from wsproto_core.ids import process_of

WORKERS = ("--workers", "2")
PRELOADED = ("--preload", *WORKERS)
ASGI_WORKERS = ("-m", "gunicorn", "--worker-class", "asgi", "--bind", "127.0.0.1:{port}", *WORKERS, DJANGO)
PAYLOAD = {"room": "lobby"}
SETTINGS = "tests.adapters.django_project.settings_site"

Urls = Callable[[str], str]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """The URL of an engine, which is started."""
    with ExitStack() as stack:
        redis = stack.enter_context(running(RedisServer(tmp_path_factory.mktemp("redis"))))
        nats = stack.enter_context(NatsServer(tmp_path_factory.mktemp("nats")))
        yield {"redis": redis.url, "nats": nats.url}.__getitem__


async def one_on_each(stack: AsyncExitStack, server: Server) -> list[Client]:
    """Connect until there is a client on each of two workers."""
    found: dict[str | None, Client] = {}
    end = monotonic() + PATIENCE
    while len(found) < 2:
        assert monotonic() < end, f"all of them are on one worker\n{server.log}"
        client = await stack.enter_async_context(server.connect())
        found.setdefault(process_of(await client.connection_id()), client)
        await asyncio.sleep(0.05)  # a worker that is slower to start has its chance
    return list(found.values())


async def reaches_both(server: Server, ways: tuple[str, ...]) -> None:
    """Whatever worker serves a view, both clients get what it emits, once."""
    async with AsyncExitStack() as stack:
        clients = await one_on_each(stack, server)
        seqs = []
        for client in clients:
            seqs.append((await client.ask("chat.enter", {"name": "lobby"}))["seq"])
        for way in ways * 4:
            await asyncio.to_thread(server.get, f"/{way}/lobby")
            for place, client in enumerate(clients):
                event = await client.receive()
                seqs[place] += 1
                assert (event["recipient_id"], event["seq"], event["payload"]) == ("lobby", seqs[place], PAYLOAD)
        for place, client in enumerate(clients):
            assert (await client.ask("health"))["seq"] == seqs[place] + 1
    assert "Traceback" not in server.log, server.log


@pytest.mark.parametrize("options", [WORKERS, PRELOADED], ids=["workers", "preload"])
@pytest.mark.parametrize("engine", ["nats", "redis"])
async def test_flask(tmp_path: Path, url: Urls, engine: str, options: tuple[str, ...]) -> None:
    environment = {"TEST_BACKPLANE": url(engine)}
    with Server([*GUNICORN, *options, f"{FLASK}:app"], tmp_path / "log", environment) as server:
        await reaches_both(server, ("emit-sync",))


def layer(backend: str, redis: str) -> dict[str, Any]:
    hosts = [{"address": redis, "socket_timeout": 15}]
    return {"CHANNEL_LAYERS": {"default": {"BACKEND": f"channels_redis.{backend}", "CONFIG": {"hosts": hosts}}}}


@pytest.mark.parametrize("engine", ["nats", "redis", "core", "pubsub"])
async def test_django(tmp_path: Path, url: Urls, engine: str) -> None:
    settings = {
        "core": layer("core.RedisChannelLayer", url("redis")),
        "pubsub": layer("pubsub.RedisPubSubChannelLayer", url("redis")),
    }.get(engine) or {"WSPROTO": {"BACKPLANE": url(engine)}}
    environment = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "TEST_SETTINGS": json.dumps(settings),
        "TEST_DATABASE": str(tmp_path / "project.sqlite3"),
    }
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:]), **environment},
        timeout=50,
        check=True,
    )
    ways = ("emit-sync",) if engine in {"nats", "redis"} else ("emit-sync", "group-send", "group-send-by-hand")
    with Server(ASGI_WORKERS, tmp_path / "log", environment) as server:
        await reaches_both(server, ways)
        await disconnects(server, by_layer=len(ways) > 1)


async def disconnects(server: Server, *, by_layer: bool) -> None:
    """A view closes the connections of a user, whatever worker they are on."""
    if not by_layer:
        return
    async with AsyncExitStack() as stack:
        clients = await one_on_each(stack, server)
        for client in clients:
            await client.ask("chat.enter", {"name": "closing"})
        await asyncio.to_thread(server.get, f"/group-disconnect/{urllib.request.quote('closing')}")
        assert [await client.closed() for client in clients] == [(3000, "Log in again.")] * 2
