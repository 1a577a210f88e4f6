"""Connections of frameworks that are objects with receive, send and close, and nothing more: those of HawkAPI, say."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from wsproto_asgi.connection import run_websocket
from wsproto_asgi.handshake import Message, Scope
from wsproto_core.asyncapi.mentions import serving
from wsproto_core.closing import CloseCode
from wsproto_core.errors import HostError
from wsproto_core.hub import Hub
from wsproto_core.recipients import Audience
from wsproto_core.security import NOT_GIVEN

__all__ = ["handle_websocket_like"]


@serving
async def handle_websocket_like(
    hub: Hub,
    websocket: Any,
    user_id: object = NOT_GIVEN,
    *,
    scope: Mapping[str, Any] | None = None,
    accepted: bool | None = None,
    connection_id: str | None = None,
    rooms: Iterable[Audience | str] = (),
    state: Mapping[str, Any] | None = None,
) -> None:
    """Serve a connection to its end, through whatever object a framework has for it.

    The object has these coroutines: ``receive()``, which gives text, bytes or an ASGI message, and ends with None, an
    ASGI disconnect, or an exception that has a ``code``; ``send_text(text)`` and ``send_bytes(data)``, or
    ``send(frame)`` for both; ``close(code, reason)``, or ``close(code)``; and, unless the connection is accepted
    already, ``accept(subprotocol)``. A connection that is refused before that is closed, which most servers answer with
    a bare 403.

    Args:
        hub: that the connection belongs to.
        websocket: the object.
        user_id: who is behind it, when the host knows; else ``authenticate`` is asked.
        scope: what the connection told about itself, in the form of an ASGI scope; by default that of the object.
        accepted: whether the connection is accepted already; by default what the object's ``state`` says.
        connection_id: an id of the application's own; by default a random one.
        rooms: that it is in from the beginning.
        state: what ``context.state`` begins with.

    Raises:
        HostError: the object lacks what it takes, or the hub is none.
        TypeError: a user id that is none.
    """
    if not isinstance(hub, Hub):
        raise HostError(f"handle_websocket_like takes a Hub and then the WebSocket, not {type(hub).__name__} first.")
    if scope is None:
        scope = getattr(websocket, "scope", None)
    if not isinstance(scope, Mapping):
        raise HostError(f"{type(websocket).__name__} has no ASGI scope; say scope={{'path': …, 'headers': …}}.")
    if accepted is None:
        accepted = _is_accepted(websocket)
    wrapped = _Wrapped(websocket, accepted=accepted)
    await run_websocket(
        hub,
        _without_denial(scope),
        wrapped.receive,
        wrapped.send,
        user_id=user_id,
        connection_id=connection_id,
        rooms=rooms,
        state=state,
        accepted=accepted,
    )


class _Wrapped:
    """The object as ASGI has it: messages in, messages out.

    Raises:
        HostError: it lacks a method.
    """

    def __init__(self, websocket: Any, *, accepted: bool) -> None:
        self._receive = _method(websocket, "receive")
        send = getattr(websocket, "send", None)
        self._send_text = getattr(websocket, "send_text", send) or _method(websocket, "send_text")
        self._send_bytes = getattr(websocket, "send_bytes", send) or _method(websocket, "send_bytes")
        self._close = _method(websocket, "close")
        self._close_takes_reason = _takes_two(self._close)
        self._accept = None if accepted else _method(websocket, "accept")
        self._asked = accepted

    async def receive(self) -> Message:
        """Return the next message."""
        if not self._asked:
            self._asked = True
            return {"type": "websocket.connect"}
        try:
            received = await self._receive()
        except Exception as error:
            code = getattr(error, "code", None)
            if isinstance(code, int):
                return {"type": "websocket.disconnect", "code": code, "reason": getattr(error, "reason", "")}
            if isinstance(error, (EOFError, OSError)):
                return {"type": "websocket.disconnect", "code": int(CloseCode.ABNORMAL)}
            raise
        match received:
            case str():
                return {"type": "websocket.receive", "text": received}
            case bytes() | bytearray() | memoryview():
                return {"type": "websocket.receive", "bytes": bytes(received)}
            case None:
                return {"type": "websocket.disconnect", "code": int(CloseCode.NO_STATUS)}
            case _:
                return dict(received)

    async def send(self, message: Message) -> None:
        """Do what a message says."""
        match message["type"]:
            case "websocket.send" if (text := message.get("text")) is not None:
                await self._send_text(text)
            case "websocket.send":
                await self._send_bytes(message["bytes"])
            case "websocket.accept" if self._accept is not None:
                await self._accept(message["subprotocol"])
            case "websocket.close" if self._close_takes_reason:
                await self._close(int(message["code"]), message["reason"])
            case "websocket.close":
                await self._close(int(message["code"]))
            case kind:
                raise RuntimeError(f"{kind} is nothing that such an object can be told.")


def _without_denial(scope: Mapping[str, Any]) -> Scope:
    """Return the scope without the offer to answer with HTTP, which the object has no method for."""
    extensions = scope.get("extensions") or {}
    return {**scope, "extensions": {key: extensions[key] for key in extensions if key != "websocket.http.response"}}


def _is_accepted(websocket: Any) -> bool:
    state = getattr(websocket, "state", None)
    return str(getattr(state, "name", state)).lower() in {"connected", "connect", "open"}


def _method(websocket: Any, name: str) -> Any:
    method = getattr(websocket, name, None)
    if not callable(method):
        raise HostError(f"{type(websocket).__name__} has no method {name}().")
    return method


def _takes_two(function: Any) -> bool:
    try:
        inspect.signature(function).bind(1000, "")
    except TypeError:
        return False
    except ValueError:
        return True  # not written in Python; it does not say
    return True
