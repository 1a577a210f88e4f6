"""What a server of NATS says, cut into messages and the rest: the client protocol of NATS, one direction of it.

nats-py reads it as well, but ends its reading for good, and without a word, at what anybody may publish: a subject or a
reply that is no UTF-8, a header that is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Parser"]

_LONGEST_LINE: Final = 1 << 20  # bytes; INFO names all servers of a cluster
_LINE_END: Final = b"\r\n"


class Parser:
    """Cuts bytes into what was said.

    Args:
        message: takes the number of a subscription, the subject and the payload of a message.
        control: takes anything else: ``INFO``, ``PING``, ``PONG``, ``+OK``, ``-ERR``, and what follows on its line.
    """

    def __init__(self, message: Callable[[int, bytes, bytes], None], control: Callable[[bytes, bytes], None]) -> None:
        self._message = message
        self._control = control
        self._buffer = bytearray()
        # Of a message whose payload is still to come: the subscription, the subject, where the payload begins, its end.
        self._begun: tuple[int, bytes, int, int] | None = None

    def feed(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            ConnectionError: they are no NATS.
        """
        buffer, at = self._buffer, 0
        buffer += data
        while True:
            if self._begun is not None:
                sid, subject, begin, end = self._begun
                if len(buffer) - at < end + len(_LINE_END):
                    break
                payload = bytes(buffer[at + begin : at + end])
                at += end + len(_LINE_END)
                self._begun = None
                self._message(sid, subject, payload)
                continue
            line_end = buffer.find(_LINE_END, at)
            if line_end < 0:
                if len(buffer) - at > _LONGEST_LINE:
                    raise ConnectionError("what the server says is no NATS")
                break
            line = bytes(buffer[at:line_end])
            at = line_end + len(_LINE_END)
            if line.startswith((b"MSG ", b"HMSG ")):
                self._begun = _beginning(line)
            else:
                verb, _, rest = line.partition(b" ")
                self._control(verb.upper(), rest)
        del buffer[:at]


def _beginning(line: bytes) -> tuple[int, bytes, int, int]:
    """Read ``MSG subject sid [reply] size`` or ``HMSG subject sid [reply] size-of-headers size``."""
    verb, *words = line.split(b" ")
    sizes = 1 if verb == b"MSG" else 2
    try:
        if not 2 + sizes <= len(words) <= 3 + sizes:
            raise ValueError
        numbers = list(map(int, words[-sizes:]))
        begin, end = (0, numbers[0]) if sizes == 1 else (numbers[0], numbers[1])
        if not 0 <= begin <= end:
            raise ValueError
        return int(words[1]), words[0], begin, end
    except ValueError:
        raise ConnectionError("what the server says is no NATS") from None
