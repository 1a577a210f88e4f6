"""An ASGI connection scope as the core sees it, and a refusal as ASGI sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wsproto_core import handshake
from wsproto_core.closing import close_reason
from wsproto_core.handshake import connection_info
from wsproto_core.hub import Denial
from wsproto_core.problems import Problem
from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["Message", "Receive", "Scope", "Send", "info_from_scope", "problem_response", "refuse"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def info_from_scope(scope: Scope) -> ConnectionInfo:
    """Return what a connection told about itself.

    Args:
        scope: a websocket connection scope (ASGI specification, "WebSocket Connection Scope").
    """
    client = scope.get("client")
    return connection_info(
        path=scope.get("path", "/"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers", ())),
        offered=scope.get("subprotocols") or (),
        peer=(client[0], client[1]) if client else None,
        scheme=scope.get("scheme", "ws"),
        extras={"scope": scope},
    )


async def refuse(scope: Scope, send: Send, denial: Denial, base_url: str | None) -> None:
    """Refuse a connection that was not accepted: an HTTP response with the problem, or a plain 403 by the server.

    Args:
        scope: of the connection; says whether the server can send a response (ASGI, "Websocket Denial Response").
        send: of the connection.
        denial: why.
        base_url: what problem type URLs begin with.
    """
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": denial.close_code, "reason": close_reason(denial.problem.title)})
        return
    status, headers, body = problem_response(denial.problem, base_url, scope.get("path"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    # uvicorn's default protocol calls it an error when the application returns before the connection is gone.
    await asyncio.sleep(0)


def problem_response(
    problem: Problem, base_url: str | None, instance: str | None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return a problem as an HTTP response of ASGI: status, headers and body (RFC 9457 section 3).

    Args:
        problem: what is wrong.
        base_url: what problem type URLs begin with.
        instance: the path of the request.
    """
    status, headers, body = handshake.problem_response(problem, base_url, instance)
    return status, [(name.encode(), value.encode("latin-1")) for name, value in headers], body
