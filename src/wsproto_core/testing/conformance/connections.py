"""Cases for protocol sections 5 and 11, and for what the connection below goes through."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wsproto_core.codec import V1_JSON
from wsproto_core.ids import new_id
from wsproto_core.testing.conformance.target import Peer, Target, case
from wsproto_core.testing.wire import Opcode, WireClient

__all__: list[str] = []  # the cases register themselves

_TOKEN = "a-token.that-nobody_may~see"  # noqa: S105 - not a secret, but treated like one


@case("a message in fragments, with a ping in between")
async def fragments(target: Target) -> None:
    async with target.connect() as peer:
        message = json.dumps(
            {"msg_id": new_id(), "req_id": new_id(), "action": "conformance.echo", "payload": {"text": "żółw"}},
            ensure_ascii=False,
        ).encode()
        third = len(message) // 3
        await peer.wire.send_frame(Opcode.TEXT, message[:third], final=False)
        await peer.wire.send_frame(Opcode.PING, b"between")
        await peer.wire.send_frame(Opcode.CONTINUATION, message[third:-4], final=False)
        await peer.wire.send_frame(Opcode.CONTINUATION, message[-4:])
        pong = await peer.wire.receive()
        assert (pong.opcode, pong.data) == (Opcode.PONG, b"between"), pong
        assert (await peer.receive())["payload"] == {"text": "żółw"}


@case("big answers arrive whole while the client pings", needs=["pongs"])
async def big_answers(target: Target) -> None:
    text = "x" * 500_000
    async with target.connect() as peer:
        for _ in range(10):
            await peer.send("conformance.echo", {"text": text})
            await peer.wire.send_frame(Opcode.PING, b"p")
        for _ in range(10):
            assert (await peer.receive())["payload"] == {"text": text}
        assert (await peer.ask("health"))["event"] == "health"


@case("a message over the limit ends the connection with 1009", needs=["size_code"])
async def too_big(target: Target) -> None:
    async with target.connect() as peer:
        await peer.ask("conformance.echo", {"text": "x" * 65_536})
        await peer.wire.send_text("x" * (target.max_message_bytes + 1))
        assert (await peer.closed()).close_code == 1009
    async with target.connect() as peer:
        assert (await peer.ask("health"))["event"] == "health"


@case("a slow handler holds up nobody else")
async def slow_handler(target: Target) -> None:
    for action in ("conformance.wait", "conformance.wait_plain"):
        async with target.connect() as slow, target.connect() as other:
            await slow.send(action, {"seconds": 0.5})
            started = asyncio.get_running_loop().time()
            for _ in range(20):
                await other.ask("health")
            first = await asyncio.wait_for(slow.receive(), 5)
            assert first["payload"] == {"text": "waited"}
            assert asyncio.get_running_loop().time() - started < 5


@case("answers keep the order of the messages behind a slow handler")
async def order(target: Target) -> None:
    async with target.connect() as peer:
        slow = await peer.send("conformance.wait", {"seconds": 0.2})
        quick = await peer.send("health")
        await peer.wire.send_text("nonsense")
        answers = [await peer.receive() for _ in range(3)]
        assert [answer.get("req_id") for answer in answers] == [slow, quick, None], answers


@case("a handler is cancelled when its client vanishes", needs=["prompt_end"])
async def cancelled(target: Target) -> None:
    async with target.connect() as watcher:
        for rude in (True, False):
            async with target.connect() as peer:
                connection_id = (await peer.state())["connection_id"]
                await peer.send("conformance.wait", {"seconds": 30})
                # One that has not begun is not cancelled: it never begins.
                await watcher.until(lambda state, here=connection_id: here in state["begun"])  # type: ignore[misc]
                if rude:
                    peer.wire.reset()
                else:
                    await peer.wire.send_close(1000, "bye")
                await watcher.until(lambda state, gone=connection_id: gone in state["stopped"])  # type: ignore[misc]


@case("resets and half frames leave nothing behind")
async def resets(target: Target) -> None:
    async with target.connect() as watcher:
        before = (await watcher.state())["connections"]
        for number in range(20):
            async with target.connect() as peer:
                await peer.ask("health")
                if number % 2:
                    peer.wire.write(b"\x81\xfe\x01")
                peer.wire.reset()
        await watcher.until(lambda state: state["connections"] <= before)


@case("a client that does not read is held back, and others are served")
async def stalled_reader(target: Target) -> None:
    text = "x" * 100_000
    async with target.connect() as other, target.connect(receive_buffer=4096) as stalled:
        sending = asyncio.create_task(_send_until_stuck(stalled, text))
        async with asyncio.timeout(10):
            for _ in range(20):
                await other.ask("health")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send_until_stuck(peer: Peer, text: str) -> None:
    for _ in range(300):
        await peer.send("conformance.echo", {"text": text})


@case("the server's close code and reason arrive, after what was sent before")
async def close_code(target: Target) -> None:
    for code, reason in ((1000, "done"), (3003, "zażółć"), (4001, "")):
        async with target.connect() as peer:
            await peer.send("conformance.echo", {"text": "first"})
            await peer.send("conformance.close", {"code": code, "reason": reason})
            assert (await peer.receive())["payload"] == {"text": "first"}
            frame = await peer.closed()
            assert (frame.close_code, frame.close_reason) == (code, reason), frame


@case("a foreign origin is refused before accept", needs=["denial"])
async def foreign_origin(target: Target) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
        async with WireClient(target.url, headers={"Origin": origin}) as client:
            assert client.handshake is not None and client.handshake.status == 403, client.handshake
            assert client.handshake.headers["content-type"].startswith("application/problem+json"), client.handshake
            problem = json.loads(client.handshake.body)
            assert (problem["status"], problem["code"]) == (403, "forbidden"), problem


@case("the own origin, and none, are let in")
async def own_origin(target: Target) -> None:
    own = "http://" + target.url.split("/")[2]
    async with target.connect(headers={"Origin": own}) as peer:
        assert (await peer.ask("health"))["event"] == "health"


@case("subprotocols: what is known is selected, never a token")
async def subprotocols(target: Target) -> None:
    expected: list[tuple[list[str], str | None]] = [
        ([], None),
        (["unknown"], None),
        ([V1_JSON], V1_JSON),
        (["unknown", V1_JSON], V1_JSON),
        (["access-token", _TOKEN], "access-token"),
        ([V1_JSON, "access-token", _TOKEN], V1_JSON),
        (["access-token", _TOKEN, V1_JSON], V1_JSON),
        (["access-token", V1_JSON], "access-token"),
    ]
    for offered, selected in expected:
        async with WireClient(target.url, subprotocols=offered) as client:
            assert client.handshake is not None and client.handshake.status == 101, (offered, client.handshake)
            assert client.handshake.subprotocol == selected, (offered, client.handshake)
            assert _TOKEN not in str(client.handshake), client.handshake


@case("who opts in gets ws.ready first and one end for each action")
async def opt_in(target: Target) -> None:
    async with target.connect(subprotocols=[V1_JSON]) as peer:
        ready = await peer.receive()
        assert (ready["event"], ready["seq"]) == ("ws.ready", 1), ready
        assert {"connection_id", "user_id", "ping_interval", "max_message_bytes"} <= set(ready["payload"]), ready
        assert await _names(peer, "conformance.count", {"count": 3}) == ["conformance.counted"] * 3 + [3]
        assert await _names(peer, "conformance.enter", {"room": "r"}) == ["conformance.echoed", 1]
        assert await _names(peer, "conformance.tell", {"room": "nobody-is-here"}) == [0]
        assert await _names(peer, "conformance.refuse") == ["room_full"]
        assert await _names(peer, "nobody") == ["unknown_websocket_action"]
        assert await _names(peer, "health") == ["health", 1]


@case("ws.cancel stops a request that runs or waits, and completes")
async def cancel(target: Target) -> None:
    async with target.connect(subprotocols=[V1_JSON]) as peer:
        await peer.receive()
        running = await peer.send("conformance.wait", {"seconds": 30})
        waiting = await peer.send("conformance.echo", {"text": "never"})
        for request in (waiting, running, new_id()):
            await peer.send("ws.cancel", {"req_id": request})
        ends: dict[str, str] = {}
        while len(ends) < 5:
            message = await peer.receive()
            ends[message["req_id"]] = message.get("code") or message["event"]
        assert (ends[running], ends[waiting]) == ("cancelled", "cancelled"), ends
        assert sorted(ends.values()) == ["cancelled"] * 2 + ["ws.complete"] * 3, ends


@case("a req_id that is in flight is a conflict for who opted in, and allowed in the plain form")
async def in_flight(target: Target) -> None:
    req_id = new_id()
    async with target.connect(subprotocols=[V1_JSON]) as peer:
        await peer.receive()
        await peer.send("conformance.wait", {"seconds": 0.2}, req_id=req_id)
        await peer.send("health", req_id=req_id)
        messages: list[Any] = [await peer.receive() for _ in range(3)]
        assert [each.get("code") or each["event"] for each in messages] == [
            "conformance.echoed", "ws.complete", "conflict",
        ], messages  # fmt: skip
    async with target.connect() as peer:
        await peer.send("conformance.wait", {"seconds": 0.1}, req_id=req_id)
        await peer.send("health", req_id=req_id)
        assert [(await peer.receive())["event"] for _ in range(2)] == ["conformance.echoed", "health"]


async def _names(peer: Peer, action: str, payload: dict[str, Any] | None = None) -> list[Any]:
    """Call an action; return its events by name, and how it ended: the count, or the problem's code."""
    req_id = await peer.send(action, payload)
    names: list[Any] = []
    while True:
        message = await peer.receive()
        assert message.get("req_id") == req_id, message
        if "event" not in message:
            return [*names, message["code"]]
        if message["event"] == "ws.complete":
            return [*names, message["payload"]["events"]]
        names.append(message["event"])
