"""The MessagePack codec: what it carries both ways, what it refuses, and what a hostile frame may cost."""

import json
import struct
import time
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.peer import Peer, hub_of, peer
from wsproto_core import Event, Registry, UnserializableEventError, room
from wsproto_core.codec import V1_JSON, V1_MSGPACK, Codec, choose_subprotocol, find_codec
from wsproto_core.ids import new_id
from wsproto_core.testing import MemoryTransport
from wsproto_msgpack import MsgpackCodec

codec: Codec = MsgpackCodec()
MiB = 1_048_576


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\x01"


def test_the_core_finds_it_when_it_is_offered_first() -> None:
    assert isinstance(find_codec(V1_MSGPACK), MsgpackCodec)
    assert codec.subprotocol == V1_MSGPACK
    assert choose_subprotocol([V1_MSGPACK, V1_JSON]) == V1_MSGPACK
    assert choose_subprotocol([V1_JSON, V1_MSGPACK]) == V1_JSON


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        (b"\xc0", None),
        (b"\xc3", True),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 2**64 - 1),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", -(2**63)),
        (b"\xca\x3f\xc0\x00\x00", 1.5),
        (msgpack.packb(1e300), 1e300),
        (b"\xd9\x02\xc4\x85", "ą"),  # its bytes look like the header of binary data
        (msgpack.packb(["NaN", "Infinity", "-Infinity"]), ["NaN", "Infinity", "-Infinity"]),
        (msgpack.packb('\0 "\\ \u2028 🦔'), '\0 "\\ \u2028 🦔'),
        (b"\x82\xa1a\x01\xa1a\x02", {"a": 2}),
        (b"\xdf\x00\x00\x00\x01\xd9\x01a\xdd\x00\x00\x00\x01\x01", {"a": [1]}),
        (nested(32), json.loads("[" * 32 + "1" + "]" * 32)),
    ],
    ids=[
        "nil", "true", "uint64", "int64", "float32", "float64", "letter", "words", "odd letters", "key twice",
        "long headers", "32 levels",
    ],
)  # fmt: skip
def test_what_json_has_is_carried(frame: bytes, value: Any) -> None:
    assert json.loads(codec.decode(frame)) == value


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x81",
        b"\x81\xa1a",
        b"\xc1",
        msgpack.packb(1) + b"\x01",
        msgpack.packb({"a": b"binary"}),
        msgpack.packb({b"a": 1}),
        b"\x81\x01\x01",
        b"\x81\xc0\x01",
        b"\x81\x90\x01",
        msgpack.packb({"a": float("nan")}),
        msgpack.packb([float("inf")]),
        msgpack.packb([float("-inf")]),
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb(msgpack.Timestamp(1)),
        b"\xa2\xff\xfe",
        b"\xa3\xed\xa0\x80",
        b"\x81\xa1\xff\x01",
        nested(1_100),
        nested(100_000),
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
    ],
    ids=[
        "empty", "no key", "no value", "never used", "trailing bytes", "binary", "binary key", "number as a key",
        "nil as a key", "array as a key", "NaN", "Infinity", "-Infinity", "extension", "timestamp", "no UTF-8",
        "surrogate", "key that is no UTF-8", "1,100 levels", "100,000 levels", "claimed text", "claimed array",
        "claimed map",
    ],
)  # fmt: skip
def test_what_json_has_not_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match="is not one MessagePack object"):
        codec.decode(frame)


def test_a_text_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="binary frame"):
        codec.decode("{}")


@pytest.mark.parametrize(
    "frame",
    [
        (b"\xdd" + struct.pack(">I", MiB)) * 1_023 + bytes(MiB - 5 * 1_023),
        b"\xdc\xff\xff" * 1_020 + bytes(MiB - 3 * 1_020),
        b"\xdc\x7f\xff" * 1_020 + bytes(28_000),
        b"\xdf" + struct.pack(">I", MiB // 2 - 10) + bytes(MiB),
    ],
    ids=["long arrays", "short arrays", "small frame", "map"],
)
def test_what_is_only_claimed_takes_neither_memory_nor_time(frame: bytes) -> None:
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(ValueError, match="is not one MessagePack object"):
        codec.decode(frame)
    took = time.monotonic() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MiB
    assert took < 1


def test_many_arrays_that_are_really_there_are_taken() -> None:
    value = [[number, 0.1 * number] * 10 for number in range(5_000)]
    assert json.loads(codec.decode(msgpack.packb(value))) == value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=30,
)


@given(json_values)
def test_everything_comes_back_as_it_went(value: Any) -> None:
    frame = codec.encode(json.dumps(value))
    assert isinstance(frame, bytes)
    assert msgpack.unpackb(frame) == value
    assert json.loads(codec.decode(frame)) == value


@given(st.binary(max_size=200))
def test_whatever_comes_is_json_or_refused(frame: bytes) -> None:
    try:
        text = codec.decode(frame)
    except ValueError:
        return
    assert codec.decode(codec.encode(text.decode())) == text


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400])
def test_a_longer_integer_cannot_be_sent(number: int) -> None:
    with pytest.raises(UnserializableEventError, match="MessagePack"):
        codec.encode(json.dumps({"number": number}))


# How the pipeline takes it

registry = Registry()


class Counted(Event, name="counted"):
    number: int


@registry.action("count")
async def count(payload: dict[str, str]) -> Counted:
    return Counted(number=int(payload["number"]))


class PackedTransport(MemoryTransport):
    """Gives what is written as JSON text, and checks that it was a binary frame."""

    async def send(self, frame: str | bytes) -> None:
        assert isinstance(frame, bytes)
        await super().send(json.dumps(msgpack.unpackb(frame)))


class Packed(Peer):
    """Sends JSON text as MessagePack."""

    async def raw(self, frame: str | bytes) -> None:
        await super().raw(msgpack.packb(json.loads(frame)))


def packed(plain: Peer) -> Packed:
    return Packed(plain.hub, plain.session, plain.transport)


async def test_an_answer_that_it_cannot_carry_is_an_internal_error_and_leaves_no_hole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with peer(hub_of(registry), (V1_MSGPACK,), transport=PackedTransport) as plain:
        client = packed(plain)
        assert (await client.read())["event"] == "ws.ready"
        for number in (2**64 - 1, 2**64, 7):
            req_id = await client.send("count", {"number": str(number)})
            answer = await client.read()
            assert answer["req_id"] == req_id
            if number < 2**64:
                assert answer["payload"] == {"number": number}
                assert (await client.read())["payload"] == {"events": 1}
            else:
                assert answer["code"] == "internal_error"
        assert (await client.ask("health"))["seq"] == 6
    assert "Integer value out of range" in caplog.text


async def test_an_event_that_it_cannot_carry_reaches_the_others_only() -> None:
    hub = hub_of(registry)
    async with (
        peer(hub, (V1_MSGPACK,), transport=PackedTransport, rooms=["lobby"]) as plain,
        peer(hub, (V1_JSON,), rooms=["lobby"]) as other,
    ):
        client = packed(plain)
        assert (await client.read())["event"] == "ws.ready"
        assert await hub.emit(Counted(number=2**64), to=room("lobby")) == 1
        assert (await other.read())["payload"] == {"number": 2**64}
        assert await hub.emit(Counted(number=1), to=room("lobby")) == 2
        assert (await client.read())["seq"] == 2
        assert (await other.read())["seq"] == 3


def test_ids_are_strings() -> None:
    msg_id = new_id()
    assert msgpack.unpackb(codec.encode(json.dumps({"msg_id": msg_id})))["msg_id"] == msg_id
