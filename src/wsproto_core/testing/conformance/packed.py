"""Cases for MessagePack (protocol section 5), where the host has the codec."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from wsproto_core.codec import V1_JSON, V1_MSGPACK
from wsproto_core.ids import new_id
from wsproto_core.testing.conformance.messagepack import pack, unpack
from wsproto_core.testing.conformance.target import Peer, Target, case, check_message
from wsproto_core.testing.wire import Opcode

__all__: list[str] = []  # the cases register themselves


class _PackedPeer(Peer):
    """A connection that speaks MessagePack."""

    async def send(self, action: str, payload: Mapping[str, Any] | None = None, **members: Any) -> str:
        message = {"msg_id": new_id(), "req_id": new_id(), "action": action, "payload": dict(payload or {}), **members}
        await self.wire.send_binary(pack(message))
        return str(message["req_id"])

    async def receive(self) -> dict[str, Any]:
        frame = await self.wire.receive_message()
        assert frame.opcode is Opcode.BINARY, frame
        received = unpack(frame.data)
        check_message(received)
        return dict(received)

    async def call(self, action: str, payload: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Send a request; return all that comes for it, its end included."""
        req_id = await self.send(action, payload)
        received: list[dict[str, Any]] = []
        while not received or received[-1].get("event", "ws.complete") != "ws.complete":
            received.append(await self.receive())
            assert received[-1].get("req_id") == req_id, received
        return received


@asynccontextmanager
async def _connected(target: Target) -> AsyncGenerator[_PackedPeer]:
    """Connect, and read `ws.ready`."""
    async with target.connect(subprotocols=[V1_MSGPACK, V1_JSON]) as plain:
        assert plain.subprotocol == V1_MSGPACK, plain.wire.handshake
        peer = _PackedPeer(plain.wire)
        ready = await peer.receive()
        assert (ready["event"], ready["seq"], ready["recipient"]) == ("ws.ready", 1, "websocket"), ready
        assert ready["payload"]["connection_id"] == ready["recipient_id"], ready
        assert {"user_id", "ping_interval", "max_message_bytes"} <= set(ready["payload"]), ready
        yield peer


@case("MessagePack: it is selected when the client lists it first", needs=["msgpack"])
async def selected(target: Target) -> None:
    for offered in ([V1_MSGPACK], [V1_MSGPACK, V1_JSON], [V1_JSON, V1_MSGPACK], ["access-token", "t", V1_MSGPACK]):
        expected = next(name for name in offered if name.startswith("wsproto."))
        async with target.connect(subprotocols=offered) as peer:
            assert peer.subprotocol == expected, (offered, peer.wire.handshake)


@case("MessagePack: ws.ready, events and one end for each action come in binary frames", needs=["msgpack"])
async def round_trip(target: Target) -> None:
    text = 'Zażółć gęślą jaźń 🦔 \u2028 "quoted" \\ \x7f'
    async with _connected(target) as peer:
        for action, long in (("conformance.echo", text), ("conformance.echo_plain", "x" * 70_000)):
            event, end = await peer.call(action, {"text": long})
            assert (event["event"], event["payload"]) == ("conformance.echoed", {"text": long}), event
            assert (end["event"], end["payload"], end["seq"]) == ("ws.complete", {"events": 1}, event["seq"] + 1), end
        *events, end = await peer.call("conformance.count", {"count": 300})
        assert [event["payload"] for event in events] == [{"number": number} for number in range(300)], events
        assert end["payload"] == {"events": 300}, end
        event, _ = await peer.call("conformance.nested", {"rooms": [{"count": 1}, {"count": 2}]})
        assert event["payload"] == {"number": 3}, event


@case("MessagePack: an event reaches clients of every form", needs=["msgpack"])
async def every_form(target: Target) -> None:
    room = new_id()
    async with _connected(target) as packed, target.connect() as plain:
        await packed.call("conformance.enter", {"room": room})
        await plain.ask("conformance.enter", {"room": room})
        received = await packed.call("conformance.tell", {"room": room, "text": "żółw"})
        assert received[-1]["event"] == "ws.complete", received
        told, same = received[0], await plain.receive()
        for event in (told, same):
            assert (event["event"], event["payload"]) == ("conformance.told", {"text": "żółw"}), event
            assert (event["recipient"], event["recipient_id"]) == ("room", room), event
        assert told["msg_id"] == same["msg_id"], (told, same)


@case("MessagePack: a problem says the same as in JSON", needs=["msgpack"])
async def problems(target: Target) -> None:
    async with _connected(target) as packed, target.connect() as plain:
        for action, payload in (
            ("conformance.refuse", {}),
            ("conformance.fail", {}),
            ("nobody", {}),
            ("conformance.nested", {"rooms": [{"count": 3}, {"count": "many"}]}),
        ):
            (problem,) = await packed.call(action, payload)
            same = await plain.ask(action, payload)
            own = {"msg_id", "req_id"}
            assert {**problem, **dict.fromkeys(own)} == {**same, **dict.fromkeys(own)}, (problem, same)


@case(
    "MessagePack: a frame that is none, and a text frame, are problems, and the connection goes on", needs=["msgpack"]
)
async def no_frame(target: Target) -> None:
    good = pack({"msg_id": new_id(), "req_id": new_id(), "action": "health", "payload": {}})
    malformed = [
        b"", b"\xc1", b"\x81", good[:-1], good * 2, b"\x90", b"\xc0", b"\xa5hello", b"\x81\x01\x01",
        b"\x81\xa1x\xa1\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 100_000, good.replace(b"\x80", b"\x81\xa1x\xc4\x01x"),
        good.replace(b"\x80", b"\x81\xa1x\xd4\x01x"), good.replace(b"\x80", b"\x81\xa1x\xcb\x7f\xf0" + bytes(6)),
    ]  # fmt: skip
    async with _connected(target) as peer:
        for frame in malformed:
            await peer.wire.send_binary(frame)
            await _refused(peer, frame)
        for text in ('{"action":"health"}', good.decode("latin-1"), ""):
            await peer.wire.send_text(text)
            await _refused(peer, text)


async def _refused(peer: _PackedPeer, frame: str | bytes) -> None:
    problem = await peer.receive()
    assert (problem.get("code"), problem.get("status")) == ("invalid_websocket_message", 400), (frame[:40], problem)
    answer, _ = await peer.call("health")
    assert answer["event"] == "health", answer
