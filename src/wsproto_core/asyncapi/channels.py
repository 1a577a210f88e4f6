"""The channels of the document: a channel for each socket, and for each typed topic."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from wsproto_core.asyncapi.messages import Messages, event_key
from wsproto_core.asyncapi.names import identifier, reference
from wsproto_core.asyncapi.sockets import Socket, parameters_in
from wsproto_core.events import Event
from wsproto_core.handlers import events_in
from wsproto_core.registry import Router
from wsproto_core.typed_topics import Topic

__all__ = ["Channels"]

_BINDING: Final = "0.1.0"
_SUBPROTOCOL_HEADER: Final = "Sec-WebSocket-Protocol"


class Channels:
    """Makes the channels.

    Args:
        sockets: where connections are taken, in order.
        registry: whose typed topics there are.
        messages: all messages.
        schemes: all security schemes, by name.
        root_path: what comes before the paths of the sockets.
    """

    def __init__(
        self,
        sockets: Sequence[Socket],
        registry: Router,
        messages: Messages,
        schemes: Mapping[str, Mapping[str, Any]],
        *,
        root_path: str = "",
    ) -> None:
        self._messages = messages
        self._root_path = root_path
        self._schemes = schemes
        self.by_key: dict[str, dict[str, Any]] = {}
        """All channels by their identifier."""
        self.sockets: dict[str, Socket] = {}
        """The sockets of the protocol by the identifier of their channel."""
        self.topics: dict[str, tuple[type[Topic], tuple[type[Event], ...]]] = {}
        """The typed topics, with what a subscriber begins with, likewise."""
        for socket in sockets:
            key = self._free(_socket_key(socket))
            self.by_key[key] = self._foreign(socket) if socket.foreign else self._socket(socket)
            if not socket.foreign:
                self.sockets[key] = socket
        for shape in sorted(registry.topics):
            topic = registry.topics[shape]
            key = self._free(identifier("topic", *(each.strip("{}") for each in topic.topic_levels)))
            first_events = _first_events(topic)
            self.topics[key] = (topic, first_events)
            self.by_key[key] = self._topic(topic, first_events)

    def _free(self, key: str) -> str:
        """Return an identifier that is not taken; two sockets may have one path, on two hosts."""
        number, free = 1, key
        while free in self.by_key:
            number += 1
            free = f"{key}-{number}"
        return free

    def _socket(self, socket: Socket) -> dict[str, Any]:
        return {
            **self._place(socket),
            "messages": {key: reference("components", "messages", key) for key in self._messages.by_key},
            "bindings": {"ws": self._binding(socket)},
            "x-wsproto-kind": "socket",
        }

    def _foreign(self, socket: Socket) -> dict[str, Any]:
        return {
            **self._place(socket),
            "bindings": {"ws": {"method": "GET", "bindingVersion": _BINDING}},
            "x-wsproto-kind": "foreign",
        }

    def _place(self, socket: Socket) -> dict[str, Any]:
        address = socket.address if socket.address is None else self._root_path + socket.address
        place: dict[str, Any] = {"address": address, "title": socket.title or socket.address or "The socket"}
        if socket.description:
            place["description"] = socket.description
        parameters = parameters_in(address or "")
        if parameters:
            place["parameters"] = {name: {"description": "A part of the path."} for name in parameters}
        return place

    def _binding(self, socket: Socket) -> dict[str, Any]:
        binding: dict[str, Any] = {"method": "GET"}
        query, headers = dict(socket.query), dict(socket.headers)
        for scheme in self._schemes.values():
            if scheme.get("type") == "httpApiKey" and scheme.get("in") == "query":
                query.setdefault(scheme["name"], {"type": "string", "description": scheme.get("description", "")})
            elif scheme.get("type") == "http":
                headers.setdefault("Authorization", {"type": "string"})
        headers.setdefault(_SUBPROTOCOL_HEADER, {"type": "string", "description": "What the client speaks."})
        for name, members in (("query", query), ("headers", headers)):
            if members:
                required = sorted(socket.required & members.keys())
                binding[name] = {
                    "type": "object",
                    "properties": members,
                    **({"required": required} if required else {}),
                }
        return {**binding, "bindingVersion": _BINDING}

    def _topic(self, topic: type[Topic], first_events: Iterable[type[Event]]) -> dict[str, Any]:
        description = inspect.cleandoc(topic.__dict__.get("__doc__") or "") or None
        channel: dict[str, Any] = {"address": topic.topic_pattern, "title": topic.__name__}
        if description is not None:
            channel["description"] = description
        parameters = {name: _parameter(topic, name) for name in parameters_in(topic.topic_pattern)}
        if parameters:
            channel["parameters"] = parameters
        keys = [event_key(event.event_name) for event in first_events]
        if keys:
            channel["messages"] = {key: reference("components", "messages", key) for key in keys}
        # Without one of its own, the class is for the server's code alone.
        return {**channel, "x-wsproto-kind": "topic", "x-wsproto-subscribe": topic.has_authorize()}


def _socket_key(socket: Socket) -> str:
    path = (socket.address or "").strip("/")
    return identifier(path.replace("/", ".").replace("{", "").replace("}", "")) if path else "socket"


def _parameter(topic: type[Topic], name: str) -> dict[str, Any]:
    field = topic.model_fields[name]
    parameter: dict[str, Any] = {}
    described = field.description or (field.annotation.__name__ if isinstance(field.annotation, type) else None)
    if described:
        parameter["description"] = described
    if field.examples:
        parameter["examples"] = [str(each) for each in field.examples]
    if typing.get_origin(field.annotation) is typing.Literal:
        parameter["enum"] = [str(each) for each in typing.get_args(field.annotation)]
    return parameter


def _first_events(topic: type[Topic]) -> tuple[type[Event], ...]:
    """Return the events that a subscriber begins with, as far as annotations tell."""
    try:
        hints = typing.get_type_hints(topic.on_subscribe)
    except Exception:
        # Whatever an annotation raises when it is evaluated; it may name what only type checkers import.
        return ()
    return tuple(event for event in events_in(hints.get("return")) if event is not Event)
