"""Processes of different frameworks are one server: FastAPI, Flask, Django Channels and websockets share a Redis."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.conftest import Serve
from tests.adapters.engines import RedisServer, running
from tests.adapters.hosts import HOSTS
from tests.adapters.serving import ROOT, Server
from tests.adapters.talking import PATIENCE, Client
from wsproto_core import CloseCode

NAMES = ("fastapi", "flask", "channels", "websockets")
BY_NAME = {host.name: host for host in HOSTS}

Servers = dict[str, Server]


def on_each(*names: str) -> pytest.MarkDecorator:
    """Run a test for some of the servers; all of them stay in one process of pytest."""
    return pytest.mark.parametrize("where", names, ids=[f"on {name}" for name in names])


class Member(Client):
    """A connection that checks the numbers of its events: 1, 2, 3 and so on, without a hole."""

    last = 0

    async def receive(self) -> dict[str, Any]:
        message = await super().receive()
        if "event" in message:
            self.last += 1
            assert message["seq"] == self.last, message
        return message

    async def hear(self, event: str) -> dict[str, Any]:
        """Return the payload of the next event, which is of this name."""
        message = await self.receive()
        assert message.get("event") == event, message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def quiet(self) -> None:
        """Nothing more has come so far."""
        await self.is_served()


@asynccontextmanager
async def everywhere(
    servers: Servers, user: Callable[[str], str] | None = None, **options: Any
) -> AsyncIterator[dict[str, Member]]:
    """Connect to each server."""
    async with AsyncExitStack() as stack:
        members = {}
        for name, server in servers.items():
            path = "/ws/" if user is None else f"/ws/?user={user(name)}"
            members[name] = Member((await stack.enter_async_context(server.connect(path, **options))).websocket)
        yield members


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="module")
def servers(start: Callable[..., Server], redis: RedisServer) -> Iterator[Servers]:
    with ExitStack() as running_servers:
        found = {
            name: running_servers.enter_context(start(BY_NAME[name], hook=True, backplane=redis.url)) for name in NAMES
        }
        yield found
        for server in found.values():
            counters = server.inside()["counters"]
            assert not {"gaps", "backplane_failures", "malformed_publications"} & set(counters), counters


async def test_what_is_said_anywhere_is_heard_everywhere_once_and_in_order(servers: Servers, name: str) -> None:
    async with everywhere(servers, lambda host: f"str:{host}") as members:
        for member in members.values():
            await member.ask("chat.enter", {"name": name})
        for number in range(3):
            for speaker, who in members.items():
                await who.send("chat.say", {"room": name, "text": f"{speaker} {number}"})
        for host, server in servers.items():
            assert await asyncio.to_thread(server.get, f"/say/{name}") == 1, host
        for host, member in members.items():
            heard = [await member.receive() for _ in range(3 * len(servers) + len(servers))]
            said = [each["payload"]["text"] for each in heard if each["event"] == "chat.said"]
            for speaker in servers:
                assert [text for text in said if text.startswith(speaker)] == [f"{speaker} {n}" for n in range(3)], host
            assert Counter(each["event"] for each in heard) == {"chat.said": 12, "chat.entered": 4}
            assert {(each["recipient"], each["recipient_id"]) for each in heard} == {("room", name)}
            await member.quiet()


async def test_a_user_is_reached_on_all_of_them(servers: Servers, name: str) -> None:
    async with everywhere(servers, lambda _: f"str:{name}") as members, everywhere(servers) as others:
        for host, who in others.items():
            await who.send("chat.whisper", {"to": name, "text": host})
            for member in members.values():
                assert (await member.hear("chat.said"))["text"] == host
        for each in (*members.values(), *others.values()):
            await each.quiet()


async def test_a_connection_is_reached_from_all_of_them(servers: Servers) -> None:
    async with everywhere(servers) as members:
        for who in members.values():
            connection_id = await who.connection_id()
            for host, other in members.items():
                await other.send("poke", {"connection_id": connection_id, "text": host})
                assert (await who.hear("told"))["text"] == host
        for member in members.values():
            await member.quiet()


async def test_a_filter_hears_topics_of_all_of_them_once(servers: Servers, name: str) -> None:
    async with everywhere(servers) as members:
        for member in members.values():
            for topic in (f"{name}/+/score", f"{name}/#", f"{name}/ajax/score"):
                subscribed = await member.ask("ws.subscribe", {"topic": topic})
                assert subscribed["event"] == "ws.subscribed", subscribed
        async with everywhere(servers) as speakers:
            for host, who in speakers.items():
                await who.ask("tell", {"topic": f"{name}/ajax/score", "text": host})
                for member in members.values():
                    assert (await member.hear("told"))["text"] == host
        for member in members.values():
            await member.quiet()


@on_each(*NAMES)
async def test_a_user_is_disconnected_from_all_of_them(servers: Servers, where: str, name: str) -> None:
    async with everywhere(servers, lambda _: f"str:{name}") as members, everywhere(servers) as others:
        assert await asyncio.to_thread(servers[where].get, f"/ban/str:{name}") == 1
        for member in members.values():
            assert await member.closed() == (CloseCode.FORBIDDEN, "You are banned.")
        for other in others.values():
            await other.quiet()


@on_each("flask", "channels")
async def test_a_plain_view_emits_to_all_of_them(servers: Servers, where: str, name: str) -> None:
    async with everywhere(servers) as members:
        for member in members.values():
            await member.ask("chat.enter", {"name": name})
        assert await asyncio.to_thread(servers[where].get, f"/emit-sync/{name}") is None
        for member in members.values():
            assert await member.hear("chat.entered") == {"room": name}
            await member.quiet()


SCRIPT = """
import sys
from wsproto_core import Event, room, user
from wsproto_redis import RedisEmitter

class News(Event, name="news"):
    text: str

url, name = sys.argv[1:]
with RedisEmitter(url) as emitter:
    emitter.emit(News(text="from a script"), to=room(name))
    emitter.disconnect(user("guest " + name), 4001, "The script says so.")
"""


async def test_a_script_reaches_all_of_them(servers: Servers, redis: RedisServer, name: str) -> None:
    async with everywhere(servers) as members, everywhere(servers, lambda _: f"str:guest%20{name}") as guests:
        for member in members.values():
            await member.ask("chat.enter", {"name": name})
        for guest in guests.values():
            await guest.quiet()
        await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", SCRIPT, redis.url, name], check=True, cwd=ROOT, timeout=PATIENCE
        )
        for member in members.values():
            assert await member.hear("news") == {"text": "from a script"}
            await member.quiet()
        for guest in guests.values():
            assert await guest.closed() == (4001, "The script says so.")


async def follow(member: Member, topic: str) -> dict[str, int]:
    """Subscribe with presence; return the users and how many connections each has."""
    subscribed = await member.ask("ws.subscribe", {"topic": topic, "presence": True})
    assert subscribed["event"] == "ws.subscribed", subscribed
    state = await member.hear("ws.presence_state")
    assert state["topic"] == topic
    return connections(state["members"])


async def wait_for(member: Member, present: dict[str, int], wanted: dict[str, int]) -> None:
    """Apply diffs until the users are those, with so many connections."""
    while present != wanted:
        diff = await member.hear("ws.presence_diff")
        for user in connections(diff["leaves"]):
            del present[user]
        present |= connections(diff["joins"] + diff["updates"])


def connections(members: list[dict[str, Any]]) -> dict[str, int]:
    return {each["user_id"]: len({meta["ref"] for meta in each["metas"]}) for each in members}


async def test_presence_is_of_all_of_them(servers: Servers, name: str) -> None:
    topic = f"room/{name}"
    everybody = dict.fromkeys(servers, 1)
    async with everywhere(servers, lambda host: f"str:{host}") as members:
        present = {host: await follow(member, topic) for host, member in members.items()}
        for host, member in members.items():
            await wait_for(member, present[host], everybody)
        # The same user on two of them is one member.
        async with servers["flask"].connect("/ws/?user=str:fastapi") as second:
            await second.ask("chat.enter", {"name": name})
            for host, member in members.items():
                await wait_for(member, present[host], everybody | {"fastapi": 2})
                told = await member.ask("who", {"topic": topic})
                assert connections(told["payload"]["members"]) == everybody | {"fastapi": 2}, host
        for host, member in members.items():
            await wait_for(member, present[host], everybody)
        # They go one after the other.
        for host in list(servers):
            await members.pop(host).websocket.close()
            del everybody[host]
            for other, member in members.items():
                await wait_for(member, present[other], everybody)


@on_each(*NAMES)
async def test_users_of_a_killed_process_leave_within_the_lease(
    servers: Servers, redis: RedisServer, serve: Serve, where: str, name: str
) -> None:
    topic = f"room/{name}"
    doomed = serve(BY_NAME[where], hook=True, backplane=redis.url)
    everybody = dict.fromkeys(servers, 1)
    async with everywhere(servers, lambda each: f"str:{each}") as members:
        present = {each: await follow(member, topic) for each, member in members.items()}
        async with doomed.connect("/ws/?user=str:zoe") as zoe:
            await zoe.ask("chat.enter", {"name": name})
            for each, member in members.items():
                await wait_for(member, present[each], everybody | {"zoe": 1})
            doomed.signal_all(signal.SIGKILL)
            killed = time.monotonic()
            for each, member in members.items():
                await wait_for(member, present[each], everybody)
                told = await member.ask("who", {"topic": topic})
                assert connections(told["payload"]["members"]) == everybody
            # The lease is 2 seconds, and by default 30.
            assert time.monotonic() - killed < 15


async def test_processes_of_django_talk_over_the_channel_layer(serve: Serve, redis: RedisServer, name: str) -> None:
    url, topic = f"{redis.url}/1", f"room/{name}"
    servers = {host: serve(BY_NAME[host], hook=True, layer=url) for host in ("channels", "channels-daphne")}
    everybody = dict.fromkeys(servers, 1)
    doomed = serve(BY_NAME["channels"], hook=True, layer=url)
    async with (
        everywhere(servers, lambda host: f"str:{host}") as members,
        everywhere(servers, lambda _: f"str:guest {name}".replace(" ", "%20")) as guests,
        doomed.connect("/ws/?user=str:zoe") as zoe,
    ):
        present = {host: await follow(member, topic) for host, member in members.items()}
        await zoe.ask("chat.enter", {"name": name})
        for host, member in members.items():
            await wait_for(member, present[host], everybody | {"zoe": 1})
        doomed.signal_all(signal.SIGKILL)
        for host, member in members.items():
            await wait_for(member, present[host], everybody)

        for host, speaker in members.items():
            await speaker.send("chat.say", {"room": name, "text": host})
            await asyncio.to_thread(servers[host].get, f"/emit-sync/{name}")
            for member in members.values():
                heard = [await member.receive() for _ in range(2)]
                assert sorted(each["event"] for each in heard) == ["chat.entered", "chat.said"]
            await speaker.send("chat.whisper", {"to": f"guest {name}", "text": host})
            for guest in guests.values():
                assert (await guest.hear("chat.said"))["text"] == host
        await asyncio.to_thread(servers["channels"].get, f"/ban/str:guest%20{name}")
        for guest in guests.values():
            assert await guest.closed() == (CloseCode.FORBIDDEN, "You are banned.")
        for member in members.values():
            await member.quiet()


async def test_presence_survives_an_engine_that_loses_everything(serve: Serve, tmp_path: Path, name: str) -> None:
    topic = f"room/{name}"
    with running(RedisServer(tmp_path)) as redis:
        servers = {host: serve(BY_NAME[host], hook=True, backplane=redis.url) for host in ("fastapi", "websockets")}
        async with everywhere(servers, lambda host: f"str:{host}") as members, AsyncExitStack() as stack:
            present = {host: await follow(member, topic) for host, member in members.items()}
            for host, member in members.items():
                await wait_for(member, present[host], dict.fromkeys(servers, 1))
            redis.kill()

            # Who comes in the same process is seen, and who comes in the other one is not.
            for host in servers:
                newcomer = Member(
                    (await stack.enter_async_context(servers[host].connect(f"/ws/?user=str:{host}2"))).websocket
                )
                await newcomer.ask("chat.enter", {"name": name})
                await wait_for(members[host], present[host], {**dict.fromkeys(servers, 1), f"{host}2": 1})
            # Who asks anew cannot be told; it listens all the same, and may ask again.
            await newcomer.ask("chat.enter", {"name": f"{name} too"})
            assert (await newcomer.ask("ws.subscribe", {"topic": f"{topic} too", "presence": True}))["event"]
            problem = await newcomer.receive()
            assert problem["code"] == "unavailable"

            redis.start()
            everybody = dict.fromkeys([*servers, *(f"{host}2" for host in servers)], 1)
            for host, member in members.items():
                await wait_for(member, present[host], everybody)
