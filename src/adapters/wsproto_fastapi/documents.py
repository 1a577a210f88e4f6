"""The document, the page that shows it and the pages of problems, as routes of the application."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route

from wsproto_asgi.handshake import Scope, info_from_scope
from wsproto_core.asyncapi import HostFacts
from wsproto_core.handshake import path_below
from wsproto_core.hub import Hub
from wsproto_fastapi.sockets import OF_DOCUMENTS, info_of_app, literal_paths, sockets_of

__all__ = ["show_documents"]


class _DocumentRoute(Route):
    """A route that comes before those that match everything, but not before one that has this very path."""

    def __init__(self, path: str, endpoint: Any, name: str, app: Starlette) -> None:
        super().__init__(path, endpoint, methods=["GET"], name=name, include_in_schema=False)
        self._application = app
        setattr(self, OF_DOCUMENTS, True)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether a request is for this route."""
        match, child = super().matches(scope)
        if match is Match.NONE or match is Match.PARTIAL:
            return Match.NONE, {}  # another method may be the application's own
        return (Match.NONE, {}) if _path_in(scope) in literal_paths(self._application.routes) else (match, child)


def show_documents(app: Starlette, hub: Hub) -> None:
    """Have an application serve what its hub documents.

    Args:
        app: a FastAPI or Starlette application.
        hub: of it.
    """
    hub.contract.add_host(HostFacts(sockets=partial(sockets_of, app, hub), info=partial(info_of_app, app)))

    async def answer(request: Request) -> Response:
        scope = request.scope
        root_path = str(scope.get("root_path", "")).rstrip("/")
        made = await hub.site.answer(
            _path_in(scope), info_from_scope(scope), method=request.method, root_path=root_path
        )
        if made is None:
            return PlainTextResponse("Not Found", 404)
        return Response(made.body, made.status, dict(made.headers))

    paths = [(path, "wsproto_documents") for path in hub.site.paths]
    pages = hub.site.problem_pages
    if pages is not None:
        paths += [(pages, "wsproto_problems"), (f"{pages}/{{slug}}", "wsproto_problem")]
    app.router.routes[:0] = [_DocumentRoute(path, answer, name, app) for path, name in paths]


def _path_in(scope: Scope) -> str:
    return path_below(scope["path"], str(scope.get("root_path", "")))
