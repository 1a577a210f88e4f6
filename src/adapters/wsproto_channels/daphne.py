"""What daphne leaves out, though what it is built on can do it: close codes and reasons, waiting for the client, TLS.

daphne closes with 1000 or a code from 3000 on, without a reason; a violation of RFC 6455 ends in silence instead of a
close code; it keeps in memory whatever a client does not read, or sends faster than it is handled; and it does not tell
whether a socket is ``ws`` or ``wss``, without which pages that came by ``https`` are all foreign. Behind the ``send``
that daphne gives to an application is Autobahn's protocol, which is asked for the rest. Where it cannot be found,
because something in between has wrapped it, daphne is left to do what it can.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import Any, Final

from wsproto_asgi.handshake import Message, Receive, Scope, Send

__all__ = ["complete", "complete_scope"]

# What may wait between daphne and us, before nothing more is read from the socket.
_WAITING_MESSAGES: Final = 64
_WAITING_BYTES: Final = 262_144


def complete(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return ``receive`` and ``send`` of a connection with what daphne leaves out; the same ones on other servers."""
    protocol = _protocol_behind(send)
    if protocol is None:
        return receive, send
    connection = _Connection(protocol, receive, send)
    return connection.receive, connection.send


def complete_scope(scope: Scope, send: Send) -> Scope:
    """Return a scope with the scheme that daphne leaves out; the same one on other servers."""
    protocol = _protocol_behind(send) if "scheme" not in scope else None
    if protocol is None:
        return scope
    from twisted.internet.interfaces import ISSLTransport  # daphne is not everybody's server

    return {**scope, "scheme": "wss" if ISSLTransport.providedBy(protocol.transport) else "ws"}


def _protocol_behind(send: Any) -> Any:
    """Return Autobahn's protocol, or None where there is none or it cannot be found."""
    while (inner := getattr(getattr(send, "__self__", None), "real_send", None)) is not None:
        send = inner  # Channels' middleware for sessions
    if not isinstance(send, functools.partial) or not send.args:
        return None
    protocol = send.args[0]
    return protocol if hasattr(protocol, "sendCloseFrame") and hasattr(protocol, "transport") else None


class _Connection:
    """A connection on daphne. It is also what Twisted calls a push producer: told when to stop writing.

    Args:
        protocol: of Autobahn.
        receive: as daphne gave it.
        send: the same.
    """

    def __init__(self, protocol: Any, receive: Receive, send: Send) -> None:
        self._protocol = protocol
        self._receive = receive
        self._send = send
        self._accepted = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._sizes: deque[int] = deque()  # of the messages that wait
        self._bytes = 0
        self._paused = False
        self._hand_over = protocol.onMessage

    async def receive(self) -> Message:
        """Take the next message, and read on when few are left."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._bytes -= self._sizes.popleft() if self._sizes else 0
            if self._paused and len(self._sizes) < _WAITING_MESSAGES // 2 and self._bytes < _WAITING_BYTES // 2:
                self._paused = False
                self._protocol.transport.resumeProducing()
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on, as soon as the client has read enough of what came before."""
        kind = message["type"]
        if kind == "websocket.close" and self._accepted:
            code, reason = int(message.get("code", 1000)), message.get("reason", "").encode()
            self._protocol.sendCloseFrame(code=code, reasonUtf8=reason, isReply=False)
            return
        if not self._flows.is_set():
            await self._flows.wait()
        await self._send(message)
        if kind == "websocket.accept":
            self._accept()

    def pauseProducing(self) -> None:
        """Be told that the client does not read."""
        self._flows.clear()

    def resumeProducing(self) -> None:
        """Be told that it does."""
        self._flows.set()

    def stopProducing(self) -> None:
        """Be told that it is gone."""
        self._flows.set()

    def _accept(self) -> None:
        self._accepted = True
        protocol = self._protocol
        protocol.failByDrop = False  # a violation is answered with its close code
        protocol.onMessage = self._on_message
        # Until now it was the HTTP channel that the transport told to wait.
        protocol.transport.unregisterProducer()
        protocol.transport.registerProducer(self, True)

    def _on_message(self, payload: bytes, is_binary: bool) -> None:
        self._sizes.append(len(payload))
        self._bytes += len(payload)
        if not self._paused and (len(self._sizes) >= _WAITING_MESSAGES or self._bytes >= _WAITING_BYTES):
            self._paused = True
            self._protocol.transport.pauseProducing()
        self._hand_over(payload, is_binary)
