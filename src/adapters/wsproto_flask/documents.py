"""The document, the page that shows it and the pages of problems, as URL rules of the application."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from flask import Flask, abort, current_app, request
from werkzeug.wrappers import Response

from wsproto_core.asyncapi import HostFacts, Socket
from wsproto_core.asyncapi.mentions import serves_socket
from wsproto_core.blocking import loop_thread
from wsproto_core.hub import Hub
from wsproto_flask.handshake import info_of

__all__ = ["show_documents"]

_ENDPOINT: Final = "wsproto_documents"
_PARAMETER: Final = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")


def show_documents(app: Flask, hub: Hub, is_exempt: Callable[[Any], bool]) -> None:
    """Have an application serve what its hub documents.

    Args:
        app: a Flask application.
        hub: of it.
        is_exempt: says which sockets are none of ours.
    """
    hub.contract.add_host(HostFacts(sockets=lambda: _sockets_of(app, is_exempt)))

    def answer(**_: Any) -> Any:
        own = _own_rule()
        if own is not None:
            # The application has a rule for the very same path, and came after us.
            return current_app.ensure_sync(current_app.view_functions[own.endpoint])(**(own.defaults or {}))
        root_path = request.root_path.rstrip("/")
        made = hub.site.answer_in_thread(
            request.path, info_of(request), loop_thread.run, method=request.method, root_path=root_path
        )
        return abort(404) if made is None else Response(made.body, made.status, made.headers)

    paths = list(hub.site.paths)
    pages = hub.site.problem_pages
    if pages is not None:
        paths += [pages, f"{pages}/<slug>"]
    for path in paths:
        app.add_url_rule(path, _ENDPOINT, answer, methods=["GET"])


def _own_rule() -> Any:
    return next(
        (
            rule
            for rule in current_app.url_map.iter_rules()
            if rule.rule == request.path and rule.endpoint != _ENDPOINT and request.method in (rule.methods or ())
        ),
        None,
    )


def _sockets_of(app: Flask, is_exempt: Callable[[Any], bool]) -> Iterator[Socket]:
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            view = app.view_functions[rule.endpoint]
            yield Socket(
                address=_PARAMETER.sub(r"{\1}", rule.rule),
                foreign=is_exempt(view) or not serves_socket(view),
                title=getattr(view, "__name__", None),
                description=inspect.getdoc(view) if getattr(view, "__doc__", None) else None,
            )
