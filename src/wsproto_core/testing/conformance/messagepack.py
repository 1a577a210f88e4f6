"""As much of MessagePack as the cases need, apart from the codec under test: the values of JSON, to bytes and back."""

from __future__ import annotations

import struct
from typing import Any, Final

__all__ = ["pack", "unpack"]

_NUMBERS: Final = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_STRINGS: Final = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_ARRAYS: Final = {0xDC: ">H", 0xDD: ">I"}
_MAPS: Final = {0xDE: ">H", 0xDF: ">I"}


def pack(value: Any) -> bytes:
    """Return a value of JSON as MessagePack, in forms that are valid though not always the shortest."""
    match value:
        case dict():
            head = bytes([0x80 + len(value)]) if len(value) < 16 else b"\xdf" + struct.pack(">I", len(value))
            return head + b"".join(pack(key) + pack(each) for key, each in value.items())
        case list():
            head = bytes([0x90 + len(value)]) if len(value) < 16 else b"\xdd" + struct.pack(">I", len(value))
            return head + b"".join(map(pack, value))
        case str():
            raw = value.encode()
            return (bytes([0xA0 + len(raw)]) if len(raw) < 32 else b"\xdb" + struct.pack(">I", len(raw))) + raw
        case None | bool():
            return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
        case int():
            return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)
        case _:
            return b"\xcb" + struct.pack(">d", value)


def unpack(data: bytes) -> Any:
    """Return the one value that is in the bytes.

    Raises:
        AssertionError: there is none, there is more, or it is none of JSON.
    """
    value, end = _read(data, 0)
    assert end == len(data), data[end:][:40]
    return value


def _read(data: bytes, at: int) -> tuple[Any, int]:
    assert at < len(data), "the frame ends too early"
    kind, at = data[at], at + 1
    if kind < 0x80 or kind >= 0xE0:
        return (kind if kind < 0x80 else kind - 256), at
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in _NUMBERS:
        return _number(_NUMBERS[kind], data, at)
    for sizes, first, past, read in (
        (_MAPS, 0x80, 0x90, _read_map),
        (_ARRAYS, 0x90, 0xA0, _read_array),
        (_STRINGS, 0xA0, 0xC0, _read_string),
    ):
        if first <= kind < past:
            return read(data, at, kind - first)
        if kind in sizes:
            size, at = _number(sizes[kind], data, at)
            return read(data, at, size)
    raise AssertionError(f"0x{kind:02x} begins no value of JSON")


def _number(form: str, data: bytes, at: int) -> tuple[Any, int]:
    return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)


def _read_string(data: bytes, at: int, size: int) -> tuple[str, int]:
    assert at + size <= len(data), "the frame ends too early"
    return data[at : at + size].decode(), at + size


def _read_array(data: bytes, at: int, size: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(size):
        value, at = _read(data, at)
        values.append(value)
    return values, at


def _read_map(data: bytes, at: int, size: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    for _ in range(size):
        key, at = _read(data, at)
        assert isinstance(key, str), key
        values[key], at = _read(data, at)
    return values, at
