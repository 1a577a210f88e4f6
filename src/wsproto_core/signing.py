"""Signatures for what travels through an engine that others can write to as well: HMAC with a key that is shared.

A signed message is ``hs256.``, the HMAC-SHA-256 (RFC 2104) of the topic, a zero byte and the message in 64 hexadecimal
digits, ``.``, and the message. So nothing that was signed for one topic is taken on another.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from wsproto_core.errors import ConfigurationError

__all__ = ["Signer"]

_PREFIX: Final = b"hs256."
_DIGITS: Final = 64
_SHORTEST_KEY: Final = 16  # bytes


class Signer:
    """Signs messages with a key, and takes those that are signed with one of several; without a key it lets all pass.

    Args:
        keys: one key of at least 16 bytes, or several: the first one signs, all of them are taken, so that a key can be
            changed while processes run.

    Raises:
        ConfigurationError: a key that is none, or too short.
    """

    def __init__(self, keys: str | bytes | Iterable[str | bytes] | None = None) -> None:
        given = list(keys) if isinstance(keys, Iterable) and not isinstance(keys, (str, bytes)) else [keys]
        given = [] if keys is None else given
        if keys is not None and not given:
            raise ConfigurationError("signing_key: the list is empty; leave it out, or give at least one key.")
        self._keys = [_checked(key) for key in given]

    def sign(self, topic: str, message: bytes) -> bytes:
        """Return a message with its signature."""
        if not self._keys:
            return message
        return b"".join((_PREFIX, _digest(self._keys[0], topic, message), b".", message))

    def open(self, topic: str, signed: bytes) -> bytes:
        """Return the message that was signed.

        Raises:
            ValueError: the signature is missing or wrong.
        """
        if not self._keys:
            return signed
        begin = len(_PREFIX) + _DIGITS + 1
        digest, message = signed[len(_PREFIX) : begin - 1], signed[begin:]
        if not signed.startswith(_PREFIX) or signed[begin - 1 : begin] != b".":
            raise ValueError("it is not signed")
        if not any(hmac.compare_digest(_digest(key, topic, message), digest) for key in self._keys):
            raise ValueError("its signature is wrong")
        return message


def _digest(key: bytes, topic: str, message: bytes) -> bytes:
    return hmac.digest(key, topic.encode() + b"\0" + message, "sha256").hex().encode()


def _checked(key: object) -> bytes:
    if isinstance(key, str):
        key = key.encode()
    if not isinstance(key, bytes) or len(key) < _SHORTEST_KEY:
        raise ConfigurationError(f"signing_key: a key is a str or bytes, of at least {_SHORTEST_KEY} bytes.")
    return key
