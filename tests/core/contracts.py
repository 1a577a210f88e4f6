"""Documents of a test, and what is in them."""

from typing import Any

from wsproto_core import Registry, Settings
from wsproto_core.asyncapi import Socket, build_document

WS = Socket(address="/ws/")


def made(registry: Registry, *sockets: Socket, root_path: str = "", info: Any = None, **options: Any) -> dict[str, Any]:
    return build_document(Settings(registry=registry, **options), sockets or (WS,), info=info, root_path=root_path)


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in document["operations"].values() if each["title"] == name)


def replies(document: dict[str, Any], action: str) -> list[str]:
    return [each["$ref"].rpartition("/")[2] for each in operation(document, action)["reply"]["messages"]]


def message(document: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["messages"][key]
    return found
