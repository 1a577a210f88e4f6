"""What every host does with clients that send too much, too little, or stay too long."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from tests.adapters.conftest import Serve
from tests.adapters.hosts import Host
from tests.adapters.talking import message


async def test_who_sends_too_much_is_told_when_to_come_again(host: Host, serve: Serve) -> None:
    # A rate so low that no machine is slow enough to be let through.
    server = serve(host, rate=[0.001, 5])
    async with server.connect() as eager, server.connect() as other:
        requests = [message("health") for _ in range(20)]
        eager.write_messages(requests)
        answers = [await eager.receive() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]
        assert [answer.get("event") for answer in answers[:5]] == ["health"] * 5
        for answer in answers[5:]:
            assert (answer["code"], answer["status"], answer["retryable"]) == ("rate_limited", 429, True)
            assert 0 < answer["retry_after"] <= 1_000
        assert await other.is_served()
    assert server.inside()["counters"]["rate_limited"] == 15


async def test_who_waits_as_long_as_it_was_told_is_served(one_host: Host, serve: Serve) -> None:
    server = serve(one_host, rate=[2, 1])
    async with server.connect() as client:
        assert await client.is_served()
        problem = await client.ask("health")
        while "retry_after" in problem:
            await asyncio.sleep(problem["retry_after"])
            problem = await client.ask("health")
        assert problem["event"] == "health"


async def test_a_silent_client_and_one_that_never_spoke_are_closed_on_the_wire(host: Host, serve: Serve) -> None:
    server = serve(host, idle_timeout=0.3)
    async with server.connect() as mute, server.connect() as spoke:
        assert await spoke.is_served()
        silent = (3008, "Nothing came for too long; connect again.")
        assert await mute.closed() == silent
        assert await spoke.closed() == silent


async def test_a_client_that_speaks_is_not_idle(one_host: Host, serve: Serve) -> None:
    server = serve(one_host, idle_timeout=3)
    async with server.connect() as mute, server.connect() as speaking:
        closed = asyncio.create_task(mute.closed())
        while not closed.done():
            assert await speaking.is_served()
            await asyncio.sleep(0.05)
        assert closed.result()[0] == 3008
        assert await speaking.is_served()


async def test_a_client_whose_action_runs_is_not_idle(one_host: Host, serve: Serve, name: str) -> None:
    server = serve(one_host, idle_timeout=1)
    async with server.connect() as mute, server.connect() as waiting, server.connect() as opener:
        await waiting.send("wait", {"name": name})
        assert (await mute.closed())[0] == 3008
        assert (await opener.closed())[0] == 3008
        async with server.connect() as opener:
            await opener.send("open", {"name": name})
            assert (await waiting.receive())["event"] == "passed"


@pytest.mark.parametrize("speaks", [False, True])
async def test_nobody_stays_longer_than_the_longest_lifetime(host: Host, serve: Serve, *, speaks: bool) -> None:
    server = serve(host, max_lifetime=0.5)
    async with server.connect() as client:
        try:
            while speaks:
                assert await client.is_served()
                await asyncio.sleep(0.02)
        except ConnectionClosed:
            pass
        code, reason, _ = await client.rest()
        assert (code, reason) == (3008, "The connection has reached its age limit; connect again.")
