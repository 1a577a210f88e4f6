"""MessagePack on every host: the same conversation as in JSON, in binary frames, and nothing else is a message."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import ClientConnection

from tests.adapters.serving import Server
from tests.adapters.talking import Client, message
from wsproto_core import Event, ProblemDetails, Registry
from wsproto_core.codec import V1_JSON, V1_MSGPACK
from wsproto_core.testing import connect as in_memory
from wsproto_core.testing.conformance.transcript import TRANSCRIPT

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Packed(Client):
    """A client that speaks MessagePack."""

    async def send(self, action: str, payload: dict[str, Any] | None = None) -> str:
        request = message(action, payload)
        await self.websocket.send(msgpack.packb(request))
        req_id: str = request["req_id"]
        return req_id

    async def receive(self) -> dict[str, Any]:
        frame = await self.websocket.recv()
        assert isinstance(frame, bytes)
        received: dict[str, Any] = msgpack.unpackb(frame)
        return received


@asynccontextmanager
async def connected(server: Server, offered: list[str]) -> AsyncIterator[Client]:
    """Connect, and read `ws.ready`."""
    async with server.connect(subprotocols=offered) as plain:
        websocket: ClientConnection = plain.websocket
        client = Packed(websocket) if websocket.subprotocol == V1_MSGPACK else plain
        assert (await client.receive())["event"] == "ws.ready"
        yield client


async def answers_to(client: Client, frame: str | bytes) -> list[dict[str, Any]]:
    """Send a frame; return all that comes up to its end, with the ids that the server chose replaced."""
    await client.websocket.send(frame)
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1].get("event", "ws.complete") != "ws.complete":
        answer = await client.receive()
        own = answer.get("req_id")
        replaced = ID.sub(lambda found, own=own: found[0] if found[0] == own else "…", json.dumps(answer))  # type: ignore[misc]
        answers.append(json.loads(replaced))
    return answers


def values() -> list[tuple[str, bytes]]:
    """The messages of the transcript that are the same in both forms."""
    both = []
    for text in TRANSCRIPT:
        try:
            both.append((text, msgpack.packb(json.loads(text, parse_constant=lambda _: object()))))
        except (ValueError, TypeError):
            # Nothing that MessagePack could say: no JSON, NaN, a lone surrogate.
            continue
    return [(text, frame) for text, frame in both if "1e400" not in text]


async def test_a_conversation_is_the_same_in_json_and_in_messagepack(server: Server) -> None:
    messages = values()
    assert len(messages) > 40
    async with connected(server, [V1_JSON]) as plain, connected(server, [V1_MSGPACK, V1_JSON]) as packed:
        for text, frame in messages:
            assert await answers_to(packed, frame) == await answers_to(plain, text)


async def test_events_reach_clients_of_both_forms(server: Server, name: str) -> None:
    async with connected(server, [V1_MSGPACK]) as packed, connected(server, [V1_JSON]) as plain:
        for client in (packed, plain):
            req_id = await client.send("chat.enter", {"name": name})
            assert (await client.receive())["req_id"] == req_id
            assert (await client.receive())["event"] == "ws.complete"
        await plain.send("chat.say", {"room": name, "text": "Zażółć 🦔"})
        for client in (packed, plain):
            said = await client.receive()
            assert (said["event"], said["payload"]["text"]) == ("chat.said", "Zażółć 🦔")
            assert said["seq"] == 4


FRAMES: dict[str, str | bytes] = {
    "text": json.dumps(message("health")),
    "JSON": json.dumps(message("health")).encode(),
    "empty": b"",
    "two": msgpack.packb(message("health")) * 2,
    "binary": msgpack.packb(message("health", {"x": b"x"})),
    "extension": msgpack.packb(message("health", {"x": msgpack.ExtType(1, b"x")})),
    "number as a key": b"\x81\x01\x01",
    "NaN": msgpack.packb(message("health", {"x": float("nan")})),
    "no UTF-8": b"\x81\xa1x\xa1\xff",
    "ids as binary": msgpack.packb({**message("health"), "req_id": bytes(16)}),
    "100,000 levels": b"\x91" * 100_000,
}


async def test_what_is_no_message_gets_its_problem_and_the_next_one_is_answered(server: Server) -> None:
    async with connected(server, [V1_MSGPACK]) as client:
        for name, frame in FRAMES.items():
            await client.websocket.send(frame)
            problem = await client.receive()
            assert (name, problem.get("code")) == (name, "invalid_websocket_message")
            req_id = await client.send("health")
            assert [(await client.receive())["req_id"] for _ in range(2)] == [req_id] * 2


async def test_a_token_beside_it_is_not_echoed(server: Server) -> None:
    async with server.connect("/login/", subprotocols=["access-token", "s3cret", V1_MSGPACK]) as plain:
        assert plain.websocket.subprotocol == V1_MSGPACK
        client = Packed(plain.websocket)
        assert (await client.receive())["payload"]["user_id"] == "s3cret"


@pytest.mark.parametrize("offered", [[V1_MSGPACK, V1_JSON], [V1_JSON, V1_MSGPACK]])
async def test_the_client_chooses_by_the_order(server: Server, offered: list[str]) -> None:
    async with server.connect(subprotocols=offered) as client:
        assert client.websocket.subprotocol == offered[0]


# The client for tests


async def test_the_client_for_tests_speaks_it() -> None:
    registry = Registry()

    class Echo(Event, name="echo", registry=registry):
        text: str

    @registry.action("echo")
    async def echo(payload: Echo) -> Echo:
        return Echo(text=payload.text)

    async with in_memory(registry, subprotocols=[V1_MSGPACK]) as client:
        reply = await client.call("echo", {"text": "zażółć"})
        assert reply.problem is None
        assert reply.expect(Echo).text == "zażółć"
        await client.hub.send(client.connection_id, "no message")
        assert await client.receive_raw() == "no message"
        await client.send_raw("text")
        assert isinstance(await client.receive(), ProblemDetails)
        await client.transport.send(b"x")
        assert await client.receive_raw() == b"x"
