"""Where the sockets of an application are, and what its dependencies say about how to get in."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, cast

from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.routing import Host, Mount, WebSocketRoute

from wsproto_asgi.application import WebSocketApp
from wsproto_core.asyncapi import Socket
from wsproto_core.asyncapi.mentions import serves_socket
from wsproto_core.asyncapi.schemas import draft_07
from wsproto_core.asyncapi.security import scheme_of
from wsproto_core.hub import Hub

__all__ = ["OF_DOCUMENTS", "info_of_app", "literal_paths", "sockets_of"]


OF_DOCUMENTS: Final = "wsproto_documents"
"""What routes have that serve documents."""


def sockets_of(app: Starlette, hub: Hub) -> list[Socket]:
    """Return the sockets of an application in the order of its routes, those of routers and mounts among them.

    A route is the hub's if its endpoint, or a function that this calls, mentions `handle_websocket`; the others are
    foreign, as are those of mounted applications, which have hubs of their own.

    Args:
        app: a FastAPI or Starlette application.
        hub: of it.
    """
    found: list[Socket] = []
    for prefix, route, own in _routes(app.routes, "", own=True):
        if isinstance(route, WebSocketRoute):
            ours = own and serves_socket(route.endpoint)
            found.append(_socket(prefix, route, foreign=not ours))
        elif isinstance(getattr(route, "app", None), WebSocketApp):
            application: WebSocketApp = route.app
            address = prefix + route.path + (application.path or "/")
            found.append(Socket(address=address, foreign=application.hub is not hub))
    return found


def info_of_app(app: Starlette) -> dict[str, Any]:
    """Return what a FastAPI application calls itself, by AsyncAPI's names; a Starlette one has no words for it."""
    said = {
        "title": getattr(app, "title", None),
        "version": getattr(app, "version", None),
        "description": getattr(app, "description", None) or getattr(app, "summary", None),
        "termsOfService": getattr(app, "terms_of_service", None),
        "contact": _only(getattr(app, "contact", None), ("name", "url", "email")),
        "license": _only(getattr(app, "license_info", None), ("name", "url")),
    }
    return {name: value for name, value in said.items() if value}


def literal_paths(routes: Iterable[Any]) -> set[str]:
    """Return the paths that routes for GET name, but for those of documents."""
    return {
        prefix + str(route.path)
        for prefix, route, _ in _routes(routes, "", own=True)
        # By what it has: a route of a router that FastAPI included is no `Route`.
        if "GET" in (getattr(route, "methods", None) or ()) and not hasattr(route, OF_DOCUMENTS)
    }


def _routes(routes: Iterable[Any], prefix: str, *, own: bool) -> Iterator[tuple[str, Any, bool]]:
    """Give every route with what comes before its path, and whether it runs in the application itself."""
    for route in routes:
        candidates: Any = getattr(route, "effective_candidates", None)
        if callable(candidates):
            # A router that FastAPI 0.137 and later include by reference; it has the full paths itself.
            yield from _routes(cast("Iterable[Any]", candidates()), prefix, own=own)
            continue
        route = getattr(route, "starlette_route", None) or route
        yield prefix, route, own
        if isinstance(route, (Mount, Host)):
            below = prefix + (route.path if isinstance(route, Mount) else "")
            # A mounted application looks for its own hub; routes that are only mounted are the application's.
            mounted = isinstance(route.app, Starlette)
            yield from _routes(route.routes or (), below, own=own and not mounted)


def _socket(prefix: str, route: WebSocketRoute, *, foreign: bool) -> Socket:
    title = route.name if route.name != type(route.endpoint).__name__ else None
    described = inspect.getdoc(route.endpoint) if getattr(route.endpoint, "__doc__", None) else None
    query: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    required: set[str] = set()
    security: dict[str, Mapping[str, Any]] = {}
    for dependant in _dependants(getattr(route, "dependant", None)):
        for fields, kept in ((dependant.query_params, query), (dependant.header_params, headers)):
            for field in fields:
                kept[field.alias] = _schema_of(field)
                if field.field_info.is_required():
                    required.add(field.alias)
        security |= _security_of(dependant)
    return Socket(
        address=prefix + route.path_format,
        foreign=foreign,
        title=title,
        description=described,
        query=query,
        headers=headers,
        required=frozenset(required),
        security={} if foreign else security,
    )


def _dependants(dependant: Any) -> Iterator[Any]:
    if dependant is not None:
        yield dependant
        for each in dependant.dependencies:
            yield from _dependants(each)


def _schema_of(field: Any) -> dict[str, Any]:
    try:
        annotated: Any = Annotated
        schema = TypeAdapter(annotated[field.field_info.annotation, field.field_info]).json_schema()
    except Exception:
        # What FastAPI takes and JSON Schema has no words for; in a URL and in a header it is text.
        return {"type": "string"}
    return {"type": "string"} if "$defs" in schema else draft_07(schema)


def _security_of(dependant: Any) -> dict[str, Mapping[str, Any]]:
    """Return the security schemes of a dependency that is one of FastAPI's, by AsyncAPI's names."""
    model = getattr(dependant.call, "model", None)
    name = getattr(dependant.call, "scheme_name", None)
    kind = getattr(getattr(model, "type_", None), "value", None)
    if model is None or not isinstance(name, str):
        return {}
    described = {"description": model.description} if model.description else {}
    if kind == "apiKey":
        place = model.in_.value
        way = {"x-wsproto-way": place} if place in {"cookie", "query"} else {}
        return {name: {"type": "httpApiKey", "in": place, "name": model.name, **described, **way}}
    if kind == "http" and model.scheme.lower() in {"basic", "bearer"}:
        way = model.scheme.lower()
        bearer_format = getattr(model, "bearerFormat", None)
        return {name: {**scheme_of(way), **described, **({"bearerFormat": bearer_format} if bearer_format else {})}}
    if kind in {"oauth2", "openIdConnect"}:
        # Their flows need absolute URLs in AsyncAPI, and have relative ones as a rule; what travels is a bearer token.
        return {name: {**scheme_of("bearer"), **described}, "subprotocol": scheme_of("subprotocol")}
    return {}


def _only(value: Any, members: tuple[str, ...]) -> dict[str, Any] | None:
    return {name: str(value[name]) for name in members if value.get(name)} if isinstance(value, Mapping) else None
