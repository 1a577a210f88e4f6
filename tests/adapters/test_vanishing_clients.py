"""What every host does when clients leave, properly or not: nothing of them stays."""

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import Client, eventually, message, text_frame


def leave(client: Client) -> None:
    """Close the connection without a closing handshake, but in order as far as TCP goes."""
    client.websocket.transport.close()


def leave_half_a_frame(client: Client) -> None:
    client.write_bytes(text_frame(json.dumps(message("health"))).serialize(mask=True)[:20])
    leave(client)


def leave_half_a_message(client: Client) -> None:
    client.write([text_frame('{"msg_id":', fin=False)])
    leave(client)


def reset(client: Client) -> None:
    client.reset()


def reset_while_written_to(client: Client) -> None:
    client.stop_reading()
    client.write_messages(message("count", {"count": 10, "size": 100_000}) for _ in range(10))
    client.reset()


WAYS_TO_LEAVE = [leave, leave_half_a_frame, leave_half_a_message, reset, reset_while_written_to]


@pytest.mark.parametrize("vanish", WAYS_TO_LEAVE)
async def test_a_client_that_vanishes_leaves_nothing_behind(
    server: Server, name: str, vanish: Callable[[Client], None]
) -> None:
    async with server.connect() as watcher:
        await watcher.watch()
        async with server.connect("/ws/?user=int:99") as client:
            connection_id = await client.connection_id()
            await client.ask("chat.enter", {"name": name})
            assert connection_id in server.inside()["connections"]
            vanish(client)
        note = await watcher.noted("gone", connection_id)
        assert note["code"] in {1005, 1006}
        inside = server.inside()
        assert connection_id not in inside["connections"]
        assert name not in inside["rooms"]
        assert inside["farewells"][connection_id] == 1
        assert server.get(f"/say/{name}") == 0


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_client_that_closes_properly_leaves_its_code(server: Server, host: Host, code: int) -> None:
    async with server.connect() as watcher:
        await watcher.watch()
        async with server.connect() as client:
            connection_id = await client.connection_id()
            await client.websocket.close(code, "bye")
        assert (await watcher.noted("gone", connection_id))["code"] == (code if host.tells_close_code else 1006)


@pytest.mark.parametrize("vanish", [leave, reset])
async def test_a_slow_action_does_not_hide_a_disconnect(
    server: Server, name: str, vanish: Callable[[Client], None]
) -> None:
    async with server.connect() as watcher:
        await watcher.watch()
        async with server.connect() as client:
            connection_id = await client.connection_id()
            await client.send("wait", {"name": name})
            await client.send("wait", {"name": name})
            await watcher.noted("waiting", connection_id)
            vanish(client)
        # The handler is told first, and may still emit; the one that was queued never begins.
        told = [await watcher.receive()]
        while (last := told[-1]["payload"])["connection_id"] != connection_id or last["what"] != "gone":
            told.append(await watcher.receive())
        own = [each["payload"]["what"] for each in told if each["payload"]["connection_id"] == connection_id]
        assert own == ["cancelled", "gone"]
        assert server.inside()["farewells"][connection_id] == 1
        assert (await watcher.ask("whoami"))["seq"] > 0


async def test_a_blocking_action_does_not_hide_a_disconnect(server: Server, name: str) -> None:
    async with server.connect() as watcher:
        await watcher.watch()
        async with server.connect() as client:
            connection_id = await client.connection_id()
            await client.send("block", {"name": name})
            await watcher.noted("waiting", connection_id)
            client.reset()
        await watcher.noted("gone", connection_id)
        await watcher.send("open", {"name": name})


async def test_many_clients_come_and_go_and_leave_no_tasks(server: Server, name: str) -> None:
    async def visit(number: int) -> str:
        async with server.connect(f"/ws/?user=int:{number}") as client:
            connection_id = await client.connection_id()
            await client.ask("chat.enter", {"name": f"{name}-{number}"})
            WAYS_TO_LEAVE[number % len(WAYS_TO_LEAVE)](client)
        return connection_id

    await visit(0)
    before = await eventually(lambda: inside if not (inside := server.inside())["connections"] else None)
    ids = await asyncio.gather(*(visit(number) for number in range(50)))
    inside = await eventually(lambda: inside if (inside := server.inside())["farewells"].keys() >= set(ids) else None)
    assert {inside["farewells"][each] for each in ids} == {1}
    assert (inside["connections"], inside["rooms"], inside["topics"]) == ([], [], 0)
    assert inside["opened"] == before["opened"] + 50
    await eventually(lambda: server.inside()["tasks"] <= before["tasks"])
    assert "Exception in ASGI application" not in server.log
