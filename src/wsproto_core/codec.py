"""Frame to JSON text and back, and the choice of the subprotocol (protocol sections 1 and 5).

The pipeline speaks JSON throughout. A codec says how that travels: as it is, or transcoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

__all__ = ["PLAIN", "V1_JSON", "Codec", "JsonCodec", "choose_subprotocol", "split_token"]

V1_JSON: Final = "wsproto.v1.json"
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
        """Return the frame that carries a JSON text."""
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


def choose_subprotocol(offered: Sequence[str], available: Sequence[str]) -> str | None:
    """Choose the subprotocol to answer with (protocol section 5).

    Args:
        offered: what the client offered, in its order, without the token.
        available: what the server can speak.

    Returns:
        the first that both know; else the marker ``access-token`` if it was offered; else None.
    """
    for name in offered:
        if name in available:
            return name
    return TOKEN_MARKER if TOKEN_MARKER in offered else None
