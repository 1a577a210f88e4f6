"""The document, the page that shows it and the pages of problems, as a view."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from wsproto_channels.configuration import get_hub
from wsproto_core.handshake import connection_info
from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["document"]


async def document(request: HttpRequest, place: str, slug: str | None = None) -> HttpResponse:
    """Answer with what the hub shows.

    Args:
        request: whatever ``AUTHORIZE_DOCS`` says yes to; it finds it in ``info.extras["request"]``.
        place: the path, as the settings name it.
        slug: of a problem, below that.
    """
    asked = place if slug is None else f"{place}/{slug}"
    root_path = request.path.removesuffix(request.path_info)
    made = await get_hub().site.answer(
        asked,
        _info_of(request),
        method=str(request.method),
        root_path=root_path,
        prefix=request.path.removesuffix(asked),
    )
    if made is None:
        raise Http404
    return HttpResponse(made.body, status=made.status, headers=dict(made.headers))


def _info_of(request: HttpRequest) -> ConnectionInfo:
    host: Any = request.META.get("REMOTE_ADDR")
    port = str(request.META.get("REMOTE_PORT") or "")
    return connection_info(
        path=request.path,
        query=str(request.META.get("QUERY_STRING") or ""),
        headers=Headers(list(request.headers.items())),
        offered=(),
        peer=(host, int(port) if port.isdigit() else 0) if host else None,
        scheme="wss" if request.is_secure() else "ws",
        extras={"request": request},
    )
