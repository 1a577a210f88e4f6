"""The demo of several processes: one chat on FastAPI and on Flask, and what starts and stops it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.adapters.chat_demo import ROOT, ClusterDemo
from tests.adapters.talking import PATIENCE, Client


@pytest.fixture
def cluster() -> Iterator[ClusterDemo]:
    # Nobody is killed here, and a machine that stands still for a moment shall not have people leave.
    with ClusterDemo(lease=20) as running:
        yield running


class Visitor(Client):
    """Somebody in the chat, without a page."""

    async def wait_for(self, event: str) -> dict[str, Any]:
        """Return the payload of the next event of this name; others are passed over."""
        while True:
            message = await self.receive()
            assert "event" in message, message
            if message["event"] == event:
                payload: dict[str, Any] = message["payload"]
                return payload


def visit(url: str, token: str) -> connect:
    headers = {"Authorization": f"Bearer {sha256(token.encode()).hexdigest()}"}
    url = url.replace("http", "ws") + "/ws/"
    return connect(url, proxy=None, additional_headers=headers, open_timeout=PATIENCE, close_timeout=PATIENCE)


def names(members: list[dict[str, Any]]) -> dict[str, int]:
    return {each["info"]["name"]: len(each["metas"]) for each in members}


async def test_tabs_of_a_visitor_in_two_processes_are_one_member(cluster: ClusterDemo) -> None:
    async with visit(cluster.fastapi, "ada's secret") as one, visit(cluster.flask, "ada's secret") as other:
        ada, again = Visitor(one), Visitor(other)
        assert (await ada.wait_for("chat.server"))["framework"] == "FastAPI"
        assert (await again.wait_for("chat.server"))["framework"] == "Flask"
        await ada.send("chat.join", {"name": "Ada", "room": "music"})
        assert names((await ada.wait_for("ws.presence_state"))["members"]) == {"Ada": 1}
        await ada.wait_for("chat.welcome")
        await again.send("chat.join", {"name": "Ada L.", "room": "music"})
        assert names((await again.wait_for("ws.presence_state"))["members"]) == {"Ada L.": 2}
        # It is one member, who has another name now.
        diff = await ada.wait_for("ws.presence_diff")
        assert (diff["joins"], diff["leaves"], names(diff["updates"])) == ([], [], {"Ada L.": 2})
        await again.send("chat.rooms")
        assert (await again.wait_for("chat.rooms"))["rooms"] == {"help": 0, "lobby": 0, "music": 1}


async def test_a_room_is_full_across_processes(cluster: ClusterDemo) -> None:
    async with AsyncExitStack() as stack:
        for number in range(20):
            url = (cluster.fastapi, cluster.flask)[number % 2]
            visitor = Visitor(await stack.enter_async_context(visit(url, f"visitor {number}")))
            await visitor.send("chat.join", {"name": f"V{number}", "room": "help"})
            await visitor.wait_for("chat.welcome")
        late = Visitor(await stack.enter_async_context(visit(cluster.flask, "late")))
        people = 0
        while people < 20:  # until both processes have heard of everybody
            await late.send("chat.rooms")
            people = (await late.wait_for("chat.rooms"))["rooms"]["help"]
        await late.send("chat.join", {"name": "Late", "room": "help"})
        while (answer := await late.receive()).get("event") == "chat.counted":
            pass
        assert answer.get("code") == "room_full"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_all_that_it_started(cluster: ClusterDemo, how: signal.Signals) -> None:
    started = descendants(cluster.pid)
    assert {cluster.fastapi_pid, cluster.flask_pid} < started
    assert cluster.stop(how) == 0
    assert not started & {pid for pid, _ in processes()}


def processes() -> list[tuple[int, int]]:
    """Return the ids of all processes and of their parents."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True)
    return [(int(pid), int(parent)) for pid, parent in map(str.split, listed.stdout.splitlines())]


def descendants(pid: int) -> set[int]:
    found, before = {pid}, set[int]()
    while found != before:
        before = found
        found = before | {child for child, parent in processes() if parent in before}
    return found - {pid}


def run(**environment: str) -> str:
    """Start it where it cannot run; return what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "examples.cluster"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr


def test_what_is_missing_is_said_in_a_sentence() -> None:
    assert run(REDIS_SERVER="/nowhere/redis-server").startswith("There is no redis-server: install Redis")
    assert run(PORT="http").startswith("PORT=http is no port")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in run(PORT=str(port))
