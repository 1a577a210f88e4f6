"""The AsyncAPI 3.1 document of an application, as JSON data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from wsproto_core.asyncapi.channels import Channels
from wsproto_core.asyncapi.messages import PROTOCOL_EVENTS, Messages
from wsproto_core.asyncapi.operations import Operations
from wsproto_core.asyncapi.problem_types import ProblemTypes
from wsproto_core.asyncapi.security import security_schemes
from wsproto_core.asyncapi.sockets import Socket
from wsproto_core.builtin_actions import BUILTIN_ACTIONS, PresenceDiff, PresenceState
from wsproto_core.codec import V1_JSON, V1_MSGPACK, find_codec
from wsproto_core.events import Event
from wsproto_core.registry import Router, default_registry
from wsproto_core.settings import Settings
from wsproto_core.specs import ActionSpec

__all__ = ["VERSION", "build_document"]

VERSION: Final = "3.1.0"
"""Of AsyncAPI."""

_TITLE: Final = "WebSocket API"
_VERSION: Final = "0.1.0"
_ANYWHERE: Final = (Socket(),)


def build_document(
    settings: Settings,
    sockets: Iterable[Socket] = (),
    *,
    info: Mapping[str, Any] | None = None,
    root_path: str = "",
) -> dict[str, Any]:
    """Return the AsyncAPI document of what a hub with these settings serves.

    Args:
        settings: of the hub, with its registry.
        sockets: where connections are taken; without any there is one channel whose address is not known.
        info: what the host calls itself, where the settings do not say it.
        root_path: what comes before the paths of the sockets, for who asks from outside.
    """
    registry = settings.registry or default_registry
    servers = cast("Mapping[str, Mapping[str, Any]]", settings.servers)  # in this form since the settings checked them
    actions = _actions(registry, settings)
    events = _events(registry, actions, settings)
    places = list(sockets) or list(_ANYWHERE)
    problems = ProblemTypes(registry, settings, actions)
    messages = Messages(
        actions,
        events,
        problems.all,
        require_ids=settings.require_ids,
        base_url=settings.problem_type_base_url,
    )
    schemes = security_schemes(settings, places)
    # A server with a path of its own says itself what comes before.
    above = "" if any("pathname" in each for each in servers.values()) else root_path.rstrip("/")
    channels = Channels(places, registry, messages, schemes, root_path=above)
    operations = Operations(channels, actions, events, problems, settings, schemes)
    components: dict[str, Any] = {"messages": messages.by_key, "schemas": messages.definitions}
    if schemes:
        components["securitySchemes"] = schemes
    document: dict[str, Any] = {"asyncapi": VERSION, "info": _info(settings, info or {}, actions)}
    if servers:
        document["servers"] = {name: dict(server) for name, server in servers.items()}
    return {
        **document,
        "defaultContentType": "application/json",
        "channels": channels.by_key,
        "operations": operations.by_key,
        "components": components,
        "x-wsproto": _protocol(settings),
    }


def _actions(registry: Router, settings: Settings) -> dict[str, ActionSpec]:
    """Return the actions that can be called, by name: the application's, then the protocol's own."""
    own = {name: registry.actions[name] for name in sorted(registry.actions)}
    usable = {"health", "ws.cancel"}
    if settings.authenticate is not None:
        usable.add("ws.authenticate")
    if settings.authorize_subscribe is not None or any(topic.has_authorize() for topic in registry.topics.values()):
        usable |= {"ws.subscribe", "ws.unsubscribe"}
    builtin = {name: spec for name, spec in BUILTIN_ACTIONS.items() if name in usable and name not in own}
    return {**own, **builtin}


def _events(registry: Router, actions: Mapping[str, ActionSpec], settings: Settings) -> dict[str, list[type[Event]]]:
    """Return the classes of the events that can come, by name: registered ones, and those that actions answer with."""
    found: dict[str, list[type[Event]]] = {name: [event] for name, event in registry.events.items()}
    for spec in actions.values():
        for event in spec.replies:
            if event is not Event and event not in (known := found.setdefault(event.event_name, [])):
                known.append(event)
    present = () if settings.presence is False else (PresenceState, PresenceDiff)
    for event in (*PROTOCOL_EVENTS, *present):
        found[event.event_name] = [event]
    own = sorted(name for name in found if not _is_builtin(name, found[name]))
    return {name: found[name] for name in (*own, *(name for name in found if name not in own))}


def _is_builtin(name: str, classes: Sequence[type[Event]]) -> bool:
    return all(cls.__module__.partition(".")[0] == "wsproto_core" for cls in classes)


def _info(settings: Settings, host: Mapping[str, Any], actions: Mapping[str, ActionSpec]) -> dict[str, Any]:
    own = {
        "title": settings.title,
        "version": settings.version,
        "description": settings.description,
        "termsOfService": settings.terms_of_service,
        "contact": settings.contact,
        "license": settings.license,
    }
    defaults = {"title": _TITLE, "version": _VERSION}
    info: dict[str, Any] = {}
    for name, value in own.items():
        value = value or host.get(name) or defaults.get(name)
        if value:
            info[name] = dict(value) if isinstance(value, Mapping) else str(value)
    tags = dict.fromkeys(tag for spec in actions.values() for tag in spec.tags)
    if tags:
        info["tags"] = [{"name": tag} for tag in sorted(tags)]
    return info


def _protocol(settings: Settings) -> dict[str, Any]:
    """Return what the protocol has to say that AsyncAPI has no words for."""
    limits = settings.limits
    said = {
        "protocol": 1,
        "requireIds": settings.require_ids,
        "subprotocols": [name for name in (V1_JSON, V1_MSGPACK) if find_codec(name) is not None],
        "maxMessageBytes": limits.max_message_bytes,
        "problemTypeBaseUrl": settings.problem_type_base_url,
        "authenticationTimeout": limits.authentication_timeout if settings.authenticate is not None else None,
    }
    return {name: value for name, value in said.items() if value is not None}
