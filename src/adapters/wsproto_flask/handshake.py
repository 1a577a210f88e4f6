"""A Flask request as the core sees it, and a refusal as Flask sends it."""

from __future__ import annotations

from flask import Request, Response

from wsproto_core.handshake import connection_info, problem_response
from wsproto_core.problems import Problem
from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["info_of", "problem_answer"]


def info_of(request: Request) -> ConnectionInfo:
    """Return what a connection told about itself."""
    environ = request.environ
    host, port = request.remote_addr, str(environ.get("REMOTE_PORT") or "")
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return connection_info(
        path=request.root_path.rstrip("/") + request.path,
        query=request.query_string.decode("latin-1"),
        headers=Headers(list(request.headers.items())),
        offered=[name.strip() for name in offered.split(",") if name.strip()],
        peer=(host, int(port) if port.isdigit() else 0) if host else None,
        scheme="wss" if request.scheme in {"https", "wss"} else "ws",
        extras={"environ": environ},
    )


def problem_answer(problem: Problem, base_url: str | None, info: ConnectionInfo | None = None) -> Response:
    """Return a problem as an HTTP response (RFC 9457 section 3)."""
    instance = info.path if info is not None else None
    status, headers, body = problem_response(problem, base_url, instance)
    return Response(body, status, headers)
