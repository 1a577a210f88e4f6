"""The opening handshake: the application's own hooks, the path, who may come in, and the subprotocol."""

from __future__ import annotations

import http
import inspect
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers as LibraryHeaders
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from wsproto_core.codec import TOKEN_MARKER, choose_subprotocol, find_codec, split_token
from wsproto_core.handshake import connection_info, problem_response
from wsproto_core.hub import Admission, Denial, Hub
from wsproto_core.problems import Problem
from wsproto_core.security import NOT_GIVEN
from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["Opening", "ProcessRequest", "ProcessResponse", "SelectSubprotocol"]

ProcessRequest = Callable[[ServerConnection, Request], Awaitable[Response | None] | Response | None]
ProcessResponse = Callable[[ServerConnection, Request, Response], Awaitable[Response | None] | Response | None]
SelectSubprotocol = Callable[[ServerConnection, Sequence[Subprotocol]], Subprotocol | None]


class Opening:
    """Decides about each handshake. Its methods are the hooks of the library's server.

    Args:
        hub: that admits connections.
        path: where they are taken; None takes them everywhere.
        request_hook: the application's ``process_request``; it comes first, and may set ``connection.username``.
        response_hook: the application's ``process_response``; it comes last.
        selector: the application's ``select_subprotocol``, for clients that did not offer ours.
        own_subprotocols: whether the application named ``subprotocols`` of its own.
    """

    def __init__(
        self,
        hub: Hub,
        path: str | None,
        *,
        request_hook: ProcessRequest | None,
        response_hook: ProcessResponse | None,
        selector: SelectSubprotocol | None,
        own_subprotocols: bool,
    ) -> None:
        self._hub = hub
        self._path = path
        self._request_hook = request_hook
        self._response_hook = response_hook
        self._selector = selector
        self._own_subprotocols = own_subprotocols
        self._admitted: dict[ServerConnection, Admission] = {}

    def take(self, connection: ServerConnection) -> Admission:
        """Return what a connection was admitted with, once it is open."""
        return self._admitted.pop(connection)

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer with HTTP what is not going to be a connection here."""
        if self._request_hook is not None:
            response = await _result(self._request_hook(connection, request))
            if response is not None:
                return response
        if "Upgrade" not in request.headers and self._hub.site.has(_path_of(request)):
            method = getattr(request, "method", "GET")
            shown = await self._hub.site.answer(_path_of(request), _info(connection, request), method=method)
            if shown is not None:
                return _response(shown.status, http.HTTPStatus(shown.status).phrase, shown.headers, shown.body)
        if self._path is not None and _path_of(request) != self._path:
            return self._problem(Problem(status=404), request)
        try:
            _offered(request)
        except InvalidHeader:
            # The library would quote the header, and a token may be in it.
            return self._problem(Problem("Sec-WebSocket-Protocol is no list of tokens.", status=400), request)
        return None

    async def process_response(
        self, connection: ServerConnection, request: Request, response: Response
    ) -> Response | None:
        """Decide about a handshake that is in order, before it is answered."""
        refusal = None
        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS:
            user_id = getattr(connection, "username", NOT_GIVEN)
            admission = await self._hub.admit(_info(connection, request), user_id=user_id)
            if isinstance(admission, Denial):
                refusal = self._problem(admission.problem, request)
                if "Server" in response.headers:
                    refusal.headers["Server"] = response.headers["Server"]
            else:
                self._admitted[connection] = admission
                # Whatever happens on the way, this is called in the end, and the place is given back.
                connection.connection_lost_waiter.add_done_callback(partial(self._lost, connection))
        if self._response_hook is not None:
            return await _result(self._response_hook(connection, request, refusal or response)) or refusal
        return refusal

    def select_subprotocol(self, connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Choose ours where it was offered; else what the application chooses; never the token (protocol 5)."""
        rest, _ = split_token(offered)
        chosen = choose_subprotocol(rest)
        if find_codec(chosen) is None:
            marker = chosen
            others = [Subprotocol(name) for name in rest if name != TOKEN_MARKER]
            try:
                chosen = self._choose_own(connection, others) or marker
            except NegotiationError:
                if marker is None:
                    raise
        return None if chosen is None else Subprotocol(chosen)

    def _choose_own(self, connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        if self._selector is not None:
            return self._selector(connection, offered)
        if self._own_subprotocols:
            # The library's rule, which our own hook stands before.
            protocol = connection.protocol
            return type(protocol).select_subprotocol(protocol, offered)
        return None

    def _lost(self, connection: ServerConnection, _: object) -> None:
        admission = self._admitted.pop(connection, None)
        if admission is not None:
            self._hub.release(admission)

    def _problem(self, problem: Problem, request: Request) -> Response:
        base_url = self._hub.settings.problem_type_base_url
        status, fields, body = problem_response(problem, base_url, _path_of(request))
        return _response(status, problem.title, fields, body)


def _response(status: int, phrase: str, fields: list[tuple[str, str]], body: bytes) -> Response:
    headers = LibraryHeaders([("date", formatdate(usegmt=True)), ("connection", "close"), *fields])
    return Response(status, phrase, headers, body)


def _info(connection: ServerConnection, request: Request) -> ConnectionInfo:
    peer = connection.remote_address
    secure = connection.transport.get_extra_info("sslcontext") is not None
    return connection_info(
        path=_path_of(request),
        query=request.path.partition("?")[2],
        headers=Headers(request.headers.raw_items()),
        offered=_offered(request),
        peer=(peer[0], peer[1]) if isinstance(peer, tuple) else None,
        scheme="wss" if secure else "ws",
        extras={"connection": connection},
    )


def _path_of(request: Request) -> str:
    return unquote(request.path.partition("?")[0])


def _offered(request: Request) -> list[Subprotocol]:
    return [name for value in request.headers.get_all("Sec-WebSocket-Protocol") for name in parse_subprotocol(value)]


async def _result(value: Awaitable[Response | None] | Response | None) -> Response | None:
    return cast("Any", await value) if inspect.isawaitable(value) else value
