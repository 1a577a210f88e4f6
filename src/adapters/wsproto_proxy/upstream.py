"""The connection to the service: opening it, what a failure means to the client, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.typing import Subprotocol

from wsproto_core.closing import CloseCode, is_sendable_close_code
from wsproto_core.problems import Problem, shorten
from wsproto_proxy.headers import Fields
from wsproto_proxy.settings import ProxySettings
from wsproto_proxy.targets import Target

__all__ = ["Upstream", "ending_of", "hang_up", "open_upstream"]

log = logging.getLogger("wsproto_core.proxy")

# Frames that wait here for a client; from then on the service is not read. A frame may be as long as a message.
_MAX_QUEUE: Final = (4, 1)
# What is the client's business. Any other refusal says that the proxy and the service do not understand each other.
_PASSED_ON: Final = frozenset({400, 401, 403, 404, 410, 429, 503})
_CLIENTS_CODES: Final = 123  # characters of a code or a title that is taken over


class Upstream(ClientConnection):
    """A connection whose messages end with the close frame; the library's end when TCP does, which may be never.

    Attributes:
        discarding: whether what comes in is of no interest any more.
    """

    discarding = False

    def data_received(self, data: bytes) -> None:
        """Take what has come in."""
        super().data_received(data)
        if self.protocol.state in {State.CLOSING, State.CLOSED} and self.response is not None:
            self.recv_messages.close()

    def process_event(self, event: Event) -> None:
        """Process what came in."""
        if self.discarding and isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            return
        super().process_event(event)


class _Connect(connect):
    """The library's `connect`, except that it goes nowhere else: a redirect would take the headers along."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow no redirect."""
        return exc


async def open_upstream(
    target: Target, headers: Fields, subprotocols: tuple[str, ...], settings: ProxySettings
) -> Upstream:
    """Connect to the service.

    Args:
        target: where it is.
        headers: that it is sent.
        subprotocols: that it is offered.
        settings: of the proxy.

    Raises:
        Problem: it is not reached, does not answer in time, refuses, or answers what is no handshake.
    """
    where: dict[str, Any] = {}
    if target.unix is not None:
        where = {"unix": True, "path": target.unix}
    elif settings.ssl is not None and target.url.startswith("wss:"):
        where = {"ssl": settings.ssl}
    connecting = _Connect(
        target.url,
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        compression="deflate" if settings.compression else None,
        user_agent_header=None,
        proxy=None,  # what the environment says is meant for what goes out of the house
        open_timeout=settings.connect_timeout,
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        close_timeout=settings.close_timeout,
        max_size=settings.max_message_bytes,
        max_queue=_MAX_QUEUE,
        create_connection=Upstream,
        **where,
    )
    try:
        connection = await connecting
    except InvalidStatus as refusal:
        raise _refused(target, refusal.response) from refusal
    except TimeoutError as error:
        log.warning("%s did not answer the handshake in time", target.name)
        raise Problem("The service behind this gateway does not answer.", status=504, retryable=True) from error
    except OSError as error:
        log.warning("%s cannot be reached: %s", target.name, error)
        raise Problem("The service behind this gateway cannot be reached.", status=502, retryable=True) from error
    except (InvalidHandshake, WebSocketException) as error:
        log.warning("%s answered the handshake with what is none: %s", target.name, error)
        raise Problem("The service behind this gateway did not answer as a WebSocket service.", status=502) from error
    assert isinstance(connection, Upstream)  # noqa: S101 - for type checkers: it was asked for
    return connection


def _refused(target: Target, response: Response) -> Problem:
    """Return what the client is told when the service refuses."""
    status = response.status_code
    if status not in _PASSED_ON:
        log.warning("%s refused the handshake with %d", target.name, status)
        return Problem("The service behind this gateway refused the handshake.", status=502)
    log.info("%s refused a client with %d", target.name, status)
    told = _problem_in(response)
    seconds = response.headers.get("Retry-After", "")
    return Problem(
        told.get("detail"),
        status=status,
        code=told.get("code"),
        title=told.get("title"),
        retryable=True if status in {429, 503} else None,
        retry_after=int(seconds) if seconds.isdecimal() and len(seconds) < 7 else None,
    )


def _problem_in(response: Response) -> dict[str, str]:
    """Return what is for the client in a problem that the service answered with (RFC 9457 section 3)."""
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    members: dict[str, Any] = document if isinstance(document, dict) else {}
    texts = {name: members.get(name) for name in ("code", "title", "detail")}
    kept = {name: text for name, text in texts.items() if isinstance(text, str) and _is_unicode(text)}
    return {name: text if name == "detail" else shorten(text, _CLIENTS_CODES) for name, text in kept.items() if text}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ending_of(connection: Upstream) -> tuple[int, str]:
    """Return the code and the reason that a client is closed with, once the messages of the service have ended."""
    protocol = connection.protocol
    received, sent = protocol.close_rcvd, protocol.close_sent
    if received is not None:
        if is_sendable_close_code(received.code):
            return int(received.code), received.reason
        return CloseCode.NORMAL, ""
    if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
        return CloseCode.INTERNAL_ERROR, "A message of the service is too long."
    if sent is not None and sent.code in {CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA}:
        return CloseCode.INTERNAL_ERROR, "The service does not speak WebSocket as it should."
    return CloseCode.TRY_AGAIN_LATER, "The service is gone; try again."


async def hang_up(connection: Upstream, code: int, reason: str, *, failed: bool = False) -> None:
    """Close the connection to the service; its socket is closed when this returns.

    Args:
        connection: to the service; what still comes in is thrown away.
        code: for the close frame, if one can still be sent.
        reason: for the close frame.
        failed: whether what comes in makes no sense any more, so that no answer is waited for (RFC 6455 section 7.1.7).
    """
    connection.discarding = True
    messages = connection.recv_messages
    messages.close()
    messages.frames.queue.clear()
    messages.maybe_resume()
    try:
        # The library counts the time from when the close frame is out, which a service that does not read prevents.
        async with asyncio.timeout(connection.close_timeout):
            if failed:
                async with connection.send_context():
                    connection.protocol.fail(code, reason)
            else:
                await connection.close(code, reason)
    except (ConnectionClosed, TimeoutError):
        pass
    finally:
        connection.transport.abort()
    await asyncio.shield(connection.connection_lost_waiter)
