"""The same messages in MessagePack: binary frames to JSON text and back (protocol section 5).

The pipeline speaks JSON, so a frame is transcoded: what MessagePack has beyond JSON is refused on the way in, what JSON
has beyond MessagePack on the way out.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no type hints
from pydantic_core import from_json, to_json

from wsproto_core.codec import V1_MSGPACK
from wsproto_core.errors import UnserializableEventError

__all__ = ["MsgpackCodec"]

# An array's header tells how long it is, and the library takes memory for all of it at once, 1,024 levels deep. Arrays
# that are really there take no more than the frame could hold; those that are only claimed may take so many elements.
_CLAIMED_ELEMENTS: Final = 131_072
_LEVELS: Final = 1_024

_strict_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


class MsgpackCodec:
    """Messages as MessagePack objects in binary frames."""

    __slots__ = ()

    @property
    def subprotocol(self) -> str:
        """What negotiates it."""
        return V1_MSGPACK

    def decode(self, frame: str | bytes) -> bytes:
        """Return the JSON text of a frame as UTF-8.

        Raises:
            ValueError: a text frame, or one that is not a single object that JSON could carry.
        """
        if isinstance(frame, str):
            raise ValueError("With wsproto.v1.msgpack a message is a binary frame.")
        try:
            _check_claims(frame)
            return _json_text(msgpack.unpackb(frame, ext_hook=_refuse_extension), frame)
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
            raise ValueError(
                "The message is not one MessagePack object with string keys, UTF-8 strings and finite numbers, without "
                "binary data and extension types."
            ) from None

    def encode(self, text: str) -> bytes:
        """Return the frame that carries a JSON text.

        Raises:
            UnserializableEventError: it holds an integer of more than 64 bits, or is nested too deeply.
        """
        try:
            packed: Any = msgpack.packb(from_json(text))
        except (ValueError, OverflowError) as error:
            raise UnserializableEventError(f"MessagePack cannot carry this message: {error}.") from None
        return bytes(packed)


def _json_text(value: Any, frame: bytes) -> bytes:
    # What binary data begins with, of each size. With find() and not `in`, which takes many times as long on bytes.
    if frame.find(b"\xc4") < 0 and frame.find(b"\xc5") < 0 and frame.find(b"\xc6") < 0:
        text = to_json(value, inf_nan_mode="constants")
        if text.find(b"NaN") < 0 and text.find(b"Infinity") < 0:
            return text
    # What looked like a header may be part of a string, and NaN a word; this one knows, and takes three times as long.
    return _strict_json(value).encode()


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")


def _check_claims(frame: bytes) -> None:
    """See to it that the arrays of a frame are as long as they claim, where believing them could take much memory.

    Raises:
        ValueError, msgpack.UnpackException: they are not.
    """
    # The headers of arrays of more than 15 elements. The same bytes may be anything else, so this only asks for care.
    headers = frame.count(b"\xdc") + frame.count(b"\xdd")
    if min(headers, _LEVELS) * len(frame) > _CLAIMED_ELEMENTS:
        # Skipping goes through the whole frame and takes no memory for what is in it.
        unpacker: Any = msgpack.Unpacker(max_buffer_size=len(frame))
        unpacker.feed(frame)
        unpacker.skip()
