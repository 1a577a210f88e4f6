"""Writes the AsyncAPI document of an application: ``python -m wsproto_core.asyncapi shop.main:app --yaml``.

It exits with 0; with 1 where there is no such application, or no document can be made of it; with 2 where the command
itself is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wsproto_core.asyncapi.document import build_document
from wsproto_core.asyncapi.serving import document_json
from wsproto_core.asyncapi.yaml import to_yaml
from wsproto_core.registry import Router, default_registry
from wsproto_core.settings import Settings

__all__ = ["document_of", "main"]

_EPILOG: Final = """
WHAT is module:name. The name may be of a Registry, a Hub, or of an application that has one: FastAPI, Starlette, Flask,
WebSocketApp, or the ASGI application of a Django project. A module alone stands for what it registers by default.
"""


class _Failed(Exception):
    """There is no document; the message says why, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of it; by default those of the process.

    Returns:
        the exit code.
    """
    parser = argparse.ArgumentParser(
        prog="python -m wsproto_core.asyncapi",
        description="Writes the AsyncAPI 3.1 document of an application.",
        epilog=_EPILOG,
    )
    parser.add_argument("what", metavar="WHAT", help="module:name, as in shop.main:app")
    parser.add_argument("--yaml", action="store_true", help="YAML instead of JSON")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="instead of standard output")
    parser.add_argument("--title", help="of the contract")
    parser.add_argument("--version", help="of the contract")
    given = parser.parse_args(arguments)
    try:
        document = document_of(_found(given.what))
        said = {name: value for name in ("title", "version") if (value := getattr(given, name)) is not None}
        document["info"] = {**document["info"], **said}
        text = to_yaml(document) if given.yaml else document_json(document, indent=2) + "\n"
        if given.output is None:
            # As bytes: what the terminal's encoding cannot say is in the document all the same.
            sys.stdout.buffer.write(text.encode())
        else:
            given.output.write_text(text, encoding="utf-8")
    except _Failed as failed:
        return _tell(str(failed))
    except OSError as error:
        return _tell(f"{given.output} cannot be written: {error.strerror}.")
    return 0


def document_of(target: object) -> dict[str, Any]:
    """Return the document of a registry, of a hub, or of an application that has one.

    Raises:
        _Failed: it is none of these.
    """
    if isinstance(target, Router):
        return build_document(Settings(registry=target))
    hub = _hub_of(target)
    make = getattr(hub, "asyncapi", None)
    if make is None:
        raise _Failed(
            f"A {type(target).__name__} has no contract: name a Registry, a Hub, or an application that "
            "configure_websocket was called for."
        )
    try:
        document: dict[str, Any] = make()
    except Exception as error:
        raise _Failed(f"No document can be made: {type(error).__name__}: {error}") from error
    return document


def _found(what: str) -> object:
    """Return what ``module:name`` names."""
    module_name, _, name = what.partition(":")
    if not module_name:
        raise _Failed(f"{what!r} names no module: write module:name, as in shop.main:app.")
    try:
        module: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise _Failed(f"There is no module {error.name!r} here: start it in the folder that has it.") from error
        raise _Failed(f"{module_name} cannot be imported: {error}.") from error
    except Exception as error:
        raise _Failed(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    if not name:
        return default_registry
    target = module
    for step in name.split("."):
        if not hasattr(target, step):
            raise _Failed(f"{module_name} has no {name!r}.")
        target = getattr(target, step)
    return target


def _hub_of(target: Any) -> Any:
    """Return the hub of an application, wherever its framework keeps what others bring along."""
    if hasattr(target, "asyncapi"):
        return target
    extensions = getattr(target, "extensions", None)
    places = [
        getattr(target, "hub", None),
        getattr(getattr(target, "state", None), "wsproto_hub", None),
        extensions.get("wsproto_core") if isinstance(extensions, Mapping) else None,
    ]
    # Django has one hub for the whole process, which its ASGI application does not know.
    django = sys.modules.get("wsproto_channels.configuration")
    if django is not None and hasattr(target, "application_mapping"):
        places.append(django.get_hub())
    return next((place for place in places if place is not None), None)


def _tell(problem: str) -> int:
    sys.stderr.write(f"{problem}\n")
    return 1


if __name__ == "__main__":  # pragma: no cover - the tests of adapters run it as a program
    sys.exit(main())
