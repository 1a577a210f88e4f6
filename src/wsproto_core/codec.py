"""Frame to JSON text and back, and the choice of the subprotocol (protocol sections 1 and 5).

The pipeline speaks JSON throughout. A codec says how that travels: as it is, or transcoded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Final, Protocol

__all__ = ["PLAIN", "V1_JSON", "V1_MSGPACK", "Codec", "JsonCodec", "choose_subprotocol", "find_codec", "split_token"]

V1_JSON: Final = "wsproto.v1.json"
V1_MSGPACK: Final = "wsproto.v1.msgpack"
TOKEN_MARKER: Final = "access-token"  # noqa: S105 - the public marker before a token, not a token


class Codec(Protocol):
    """How messages travel on one connection.

    Attributes:
        subprotocol: what negotiates it; None for the plain form.
    """

    @property
    def subprotocol(self) -> str | None:
        """What negotiates it."""
        ...

    def decode(self, frame: str | bytes) -> bytes:
        """Return the JSON text of a frame as UTF-8.

        Raises:
            ValueError: the frame is none of this codec; the message says why, for the client.
        """
        ...

    def encode(self, text: str) -> str | bytes:
        """Return the frame that carries a JSON text.

        Raises:
            UnserializableEventError: the text holds what this codec cannot carry.
        """
        ...


class JsonCodec:
    """JSON in text frames; a binary frame from a client is taken as UTF-8 JSON too."""

    __slots__ = ("subprotocol",)

    def __init__(self, subprotocol: str | None = None) -> None:
        self.subprotocol = subprotocol

    def decode(self, frame: str | bytes) -> bytes:
        """Return the JSON text of a frame as UTF-8; see `Codec.decode`."""
        if isinstance(frame, str):
            try:
                return frame.encode()
            except UnicodeEncodeError:
                raise ValueError("The message holds a lone surrogate, which UTF-8 cannot carry.") from None
        return bytes(frame)

    def encode(self, text: str) -> str | bytes:
        """Return the frame that carries a JSON text: the text."""
        return text


PLAIN: Final = JsonCodec()
_V1_JSON_CODEC: Final = JsonCodec(V1_JSON)


def split_token(offered: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Take the token out of the offered subprotocols (protocol section 5).

    Returns:
        what was offered besides, with the marker ``access-token`` if it was there; and the token, which is the
        entry after the first marker, or None.
    """
    rest = list(offered)
    if TOKEN_MARKER not in rest:
        return tuple(rest), None
    at = rest.index(TOKEN_MARKER) + 1
    token = rest.pop(at) if at < len(rest) else None
    return tuple(rest), token


def find_codec(subprotocol: str | None) -> Codec | None:
    """Return the codec of a subprotocol, or None when this installation does not speak it."""
    if subprotocol == V1_JSON:
        return _V1_JSON_CODEC
    if subprotocol == V1_MSGPACK:
        return _msgpack_codec()
    return None


@cache
def _msgpack_codec() -> Codec | None:
    """Return the codec of the adapter for MessagePack; None where its extra is not installed."""
    try:
        # By name, so that the core depends on no adapter and loads it only when a client asks for it.
        module = importlib.import_module("wsproto_msgpack")
    except ModuleNotFoundError as error:
        if error.name in {"wsproto_msgpack", "msgpack"}:
            return None
        raise
    codec: Codec = module.MsgpackCodec()
    return codec


def choose_subprotocol(offered: Sequence[str], find: Callable[[str], Codec | None] = find_codec) -> str | None:
    """Choose the subprotocol to answer with (protocol section 5).

    Args:
        offered: what the client offered, in its order, without the token.
        find: says what the server can speak.

    Returns:
        the first that both know; else the marker ``access-token`` if it was offered; else None.
    """
    for name in offered:
        if find(name) is not None:
            return name
    return TOKEN_MARKER if TOKEN_MARKER in offered else None
