import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsproto_core import codec
from wsproto_core.codec import PLAIN, V1_JSON, V1_MSGPACK, JsonCodec, choose_subprotocol, find_codec, split_token


@pytest.fixture
def fresh() -> Iterator[None]:
    """Lets a test look for the codec of MessagePack anew, and the next test too."""
    codec._msgpack_codec.cache_clear()
    yield
    codec._msgpack_codec.cache_clear()


@pytest.mark.parametrize(
    ("frame", "raw"),
    [
        ('{"a":"ż"}', '{"a":"ż"}'.encode()),
        ("", b""),
        (b'{"a":1}', b'{"a":1}'),
        (bytearray(b"{}"), b"{}"),
        (memoryview(b"{}"), b"{}"),
        (b"\xff", b"\xff"),  # whoever parses it says what is wrong with it
    ],
    ids=["text", "empty", "bytes", "bytearray", "memoryview", "no utf-8"],
)
def test_text_and_binary_frames_are_json_alike(frame: str | bytes, raw: bytes) -> None:
    decoded = PLAIN.decode(frame)
    assert decoded == raw
    assert type(decoded) is bytes


def test_a_frame_that_utf_8_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        PLAIN.decode('{"a":"\ud800"}')


def test_json_is_sent_as_it_is() -> None:
    assert PLAIN.encode('{"a":1}') == '{"a":1}'


def test_each_subprotocol_has_its_codec(fresh: None) -> None:
    found = find_codec(V1_JSON)
    assert isinstance(found, JsonCodec)
    assert (found.subprotocol, PLAIN.subprotocol) == (V1_JSON, None)
    assert find_codec("chat") is find_codec(None) is None


@pytest.mark.parametrize(
    "module",
    ["raise ModuleNotFoundError(name='msgpack')", "import wsproto_msgpack.missing", None],
    ids=["engine", "part", "adapter"],
)
def test_without_its_extra_messagepack_is_not_spoken(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str | None
) -> None:
    """The extra may be missing in part; what is broken otherwise is not hidden."""
    if module is None:
        monkeypatch.setitem(sys.modules, "wsproto_msgpack", None)
    else:
        (tmp_path / "wsproto_msgpack.py").write_text(module)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "wsproto_msgpack", raising=False)
    if module is not None and "missing" in module:
        with pytest.raises(ModuleNotFoundError, match="missing"):
            find_codec(V1_MSGPACK)
    else:
        assert find_codec(V1_MSGPACK) is None
        assert choose_subprotocol([V1_MSGPACK, V1_JSON]) == V1_JSON


def test_with_its_extra_messagepack_is_spoken(fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wsproto_msgpack.py").write_text("class MsgpackCodec: subprotocol = 'wsproto.v1.msgpack'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wsproto_msgpack", raising=False)
    found = find_codec(V1_MSGPACK)
    assert found is not None
    assert found.subprotocol == V1_MSGPACK
    assert find_codec(V1_MSGPACK) is found
    assert choose_subprotocol([V1_MSGPACK, V1_JSON]) == V1_MSGPACK
    assert choose_subprotocol([V1_JSON, V1_MSGPACK]) == V1_JSON


@pytest.mark.parametrize(
    ("offered", "rest", "token"),
    [
        ([], (), None),
        (["chat", V1_JSON], ("chat", V1_JSON), None),
        (["access-token", "T"], ("access-token",), "T"),
        ([V1_JSON, "access-token", "T", "chat"], (V1_JSON, "access-token", "chat"), "T"),
        (["T", "access-token"], ("T", "access-token"), None),
        (["access-token", "access-token", "T"], ("access-token", "T"), "access-token"),
        (["access-token", V1_JSON, V1_JSON], ("access-token", V1_JSON), V1_JSON),
    ],
    ids=range(7),
)
def test_the_token_is_what_follows_the_first_marker(
    offered: list[str], rest: tuple[str, ...], token: str | None
) -> None:
    assert split_token(iter(offered)) == (rest, token)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        (("chat",), None),
        (("access-token",), "access-token"),
        (("chat", "access-token"), "access-token"),
        (("access-token", V1_JSON), V1_JSON),
        (("chat", V1_JSON, "access-token"), V1_JSON),
    ],
)
def test_the_first_subprotocol_that_both_know_is_chosen_else_the_marker(
    offered: tuple[str, ...], chosen: str | None
) -> None:
    assert choose_subprotocol(offered) == chosen


def test_a_server_may_speak_what_it_likes() -> None:
    spoken = {"b": PLAIN, "a": PLAIN}
    assert choose_subprotocol(["c", "a", "b"], spoken.get) == "a"
