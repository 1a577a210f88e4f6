"""Close frames on daphne, which sends no reason, and of the codes only 1000 and those from 3000 on.

What it is built on can do all of it, so its close frame is asked for directly. Where the way there is not the usual
one, daphne is left to do what it can.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from wsproto_asgi.handshake import Message, Send

__all__ = ["complete_closing"]

_CloseFrame = Callable[..., object]


def complete_closing(send: Send) -> Send:
    """Return a ``send`` that closes with every code and with the reason; the same one on other servers."""
    close_frame = _close_frame_of(send)
    if close_frame is None:
        return send
    accepted = False

    async def complete(message: Message) -> None:
        nonlocal accepted
        if accepted and message["type"] == "websocket.close":
            close_frame(
                code=int(message.get("code", 1000)), reasonUtf8=message.get("reason", "").encode(), isReply=False
            )
            return
        accepted = accepted or message["type"] == "websocket.accept"
        await send(message)

    return complete


def _close_frame_of(send: Any) -> _CloseFrame | None:
    """Return the method of Autobahn's protocol that sends a close frame, if that is what is behind a ``send``."""
    while hasattr(owner := getattr(send, "__self__", None), "real_send"):
        send = owner.real_send  # Channels' middleware for sessions
    if not isinstance(send, functools.partial) or not send.args:
        return None
    method: _CloseFrame | None = getattr(send.args[0], "sendCloseFrame", None)
    return method
