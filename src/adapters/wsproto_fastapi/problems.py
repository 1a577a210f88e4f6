"""A `Problem` that a dependency or a route raises, as the answer to its request or connection."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from wsproto_asgi.connection import refuse_accepted
from wsproto_asgi.handshake import info_from_scope, problem_response, refuse
from wsproto_core.admission import Denial, close_code_of
from wsproto_core.hub import Hub
from wsproto_core.problems import Problem

__all__ = ["answer_problems"]


def answer_problems(app: Starlette, hub: Hub) -> None:
    """Answer problems that are raised outside of any action, unless the application has a handler for them.

    Args:
        app: whose dependencies and routes raise them.
        hub: that knows what problem type URLs begin with.
    """
    base_url = hub.settings.problem_type_base_url

    async def answer(connection: HTTPConnection, problem: Any) -> Any:
        scope = connection.scope
        if not isinstance(connection, WebSocket):
            status, headers, body = problem_response(problem, base_url, scope["path"])
            return Response(body, status, {name.decode(): value.decode() for name, value in headers})
        # Sent from here, and not by returning a response, since the server may know no denial responses.
        denial = Denial(problem, close_code_of(problem))
        if connection.application_state is WebSocketState.CONNECTING:
            await refuse(scope, connection.send, denial, base_url)
        elif connection.application_state is WebSocketState.CONNECTED:
            await refuse_accepted(hub, connection.send, denial, info_from_scope(scope))
        return None

    app.exception_handlers.setdefault(Problem, answer)
