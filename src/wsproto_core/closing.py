"""Close codes, each with its meaning and whether a client should come back (protocol section 11)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode", "check_close_code", "close_reason", "is_sendable_close_code"]

_MAX_REASON_BYTES = 123  # RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them are the code.


class CloseCode(IntEnum):
    """The codes that the server sends or reports (RFC 6455 section 7.4.1 and the IANA registry)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    UNAUTHORIZED = 3000
    FORBIDDEN = 3003
    TIMEOUT = 3008

    @property
    def reconnect(self) -> bool:
        """Whether a client that was closed with this code should connect again with the same credential."""
        return self in _RECONNECT


_RECONNECT = frozenset(
    {
        CloseCode.GOING_AWAY,
        CloseCode.ABNORMAL,
        CloseCode.INTERNAL_ERROR,
        CloseCode.SERVICE_RESTART,
        CloseCode.TRY_AGAIN_LATER,
        CloseCode.TIMEOUT,
    }
)


def close_reason(text: str) -> str:
    """Cut a close reason to what a close frame can carry: 123 bytes of UTF-8 (RFC 6455 section 5.5)."""
    return text.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore")


def check_close_code(code: int) -> None:
    """Refuse a code that an endpoint may not put into a close frame.

    Raises:
        ValueError: it may not be sent (RFC 6455 section 7.4).
    """
    if not is_sendable_close_code(code):
        raise ValueError(f"{code} cannot be sent as a close code; use 1000 or 3000 to 4999 (RFC 6455 section 7.4).")


def is_sendable_close_code(code: int) -> bool:
    """Say whether an endpoint may put this code into a close frame (RFC 6455 section 7.4)."""
    if 3000 <= code <= 4999:
        return True
    return 1000 <= code <= 1014 and code not in {1004, CloseCode.NO_STATUS, CloseCode.ABNORMAL}
