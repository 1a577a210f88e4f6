"""A user whom an administrator disconnects over HTTP is gone, on every host."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from tests.adapters.serving import Server
from tests.adapters.talking import eventually


async def test_every_connection_of_the_user_is_closed_and_nobody_else_s(server: Server) -> None:
    async with AsyncExitStack() as connections:
        theirs = [await connections.enter_async_context(server.connect("/ws/?user=int:42")) for _ in range(3)]
        others = [
            await connections.enter_async_context(server.connect(path))
            for path in ("/ws/?user=int:43", "/ws/?user=int:4", "/ws/?user=str:ada", "/ws/")
        ]
        gone = [await client.connection_id() for client in theirs]
        staying = [await client.connection_id() for client in others]

        assert await asyncio.to_thread(server.get, "/ban/int:42") == 3
        for client in theirs:
            assert await client.closed() == (3003, "You are banned.")
        for client in others:
            assert await client.is_served()

        inside = await eventually(lambda: when_gone(server, gone))
        assert set(staying) <= set(inside["connections"])
        # Nobody is left to be closed, and nobody was told twice.
        assert await asyncio.to_thread(server.get, "/ban/int:42") == 0
        farewells = (await asyncio.to_thread(server.inside))["farewells"]
        assert [farewells.get(each, 0) for each in gone] == [1, 1, 1]
        assert [farewells.get(each, 0) for each in staying] == [0, 0, 0, 0]


async def test_what_is_under_way_is_cancelled_and_the_end_told_once(server: Server, name: str) -> None:
    async with (
        server.connect() as witness,
        server.connect(f"/ws/?user=str:{name}") as busy,
        server.connect(f"/ws/?user=str:{name}") as idle,
    ):
        ids = [await busy.connection_id(), await idle.connection_id()]
        await witness.watch()
        await busy.send("wait", {"name": name})
        await witness.noted("waiting", ids[0])
        assert await asyncio.to_thread(server.get, f"/ban/str:{name}") == 2
        # An administrator who is impatient does it again.
        await asyncio.to_thread(server.get, f"/ban/str:{name}")
        for client in (busy, idle):
            assert await client.closed() == (3003, "You are banned.")
        await eventually(lambda: when_gone(server, ids))
        farewells = (await asyncio.to_thread(server.inside))["farewells"]
        assert [farewells[each] for each in ids] == [1, 1]


async def test_who_was_disconnected_may_come_back_unless_the_application_says_no(server: Server, name: str) -> None:
    path = f"/ws/?user=str:{name}"
    async with server.connect(path) as client:
        await client.ask("health")
        await asyncio.to_thread(server.get, f"/ban/str:{name}")
        assert await client.closed() == (3003, "You are banned.")
    async with server.connect(path) as client:
        assert await client.is_served()


def when_gone(server: Server, ids: list[str]) -> dict[str, Any] | None:
    """Look inside, once the end of these connections has been told."""
    inside = server.inside()
    gone = set(ids).isdisjoint(inside["connections"]) and set(ids) <= set(inside["farewells"])
    return inside if gone else None
