"""The official parser finds nothing to say about our documents: no error, no warning, no hint."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.asyncapi import difficult
from tests.asyncapi.parsing import PATIENCE, ROOT, parse
from wsproto_core import Registry, Settings, Tickets
from wsproto_core.asyncapi import Socket, build_document, document_json, to_yaml

EXAMPLES = {
    "chat": "examples.chat.app:app",
    "mounted": "examples.mounted.on_starlette:sockets",
    "FastAPI": "tests.adapters.applications.on_fastapi:app",
    "Flask": "tests.adapters.applications.on_flask:app",
    "Django": "tests.adapters.django_project.asgi:application",
    "ASGI": "tests.adapters.applications.on_asgi:socket",
    "websockets": "tests.adapters.applications.on_websockets:hub",
}


def written(what: str) -> str:
    """Return what the command writes about an application."""
    command = [sys.executable, "-W", "error", "-m", "wsproto_core.asyncapi", what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def difficult_document(**options: Any) -> dict[str, Any]:
    settings = Settings(registry=difficult.registry, **options)
    room, two = Socket(address="/ws/{room}/", title="The room"), Socket(address="/two")
    return build_document(settings, [room, two, Socket(address="/x", foreign=True)])


def everything_said() -> dict[str, Any]:
    return difficult_document(
        authenticate=lambda _: 1,
        tickets=Tickets(),
        query_token="token",
        problem_type_base_url="https://example.com/problems",
        servers={"live": "wss://example.com/api", "here": {"host": "localhost:8000", "protocol": "ws"}},
        title="Difficult",
        version="1.2.3",
        description="It is **difficult**.",
        contact={"name": "Ada", "email": "ada@example.com"},
        license="MIT",
        terms_of_service="https://example.com/terms",
    )


@pytest.mark.parametrize("what", EXAMPLES.values(), ids=list(EXAMPLES))
def test_the_parser_accepts_the_document_of_each_example(what: str) -> None:
    document = json.loads(written(what))
    found = parse(json.dumps(document))
    assert found["diagnostics"] == []
    assert found["version"] == "3.1.0"
    assert [name for name, _ in found["channels"]] == list(document["channels"])
    assert [name for name, _ in found["operations"]] == list(document["operations"])


@pytest.mark.parametrize("write", [document_json, to_yaml])
def test_the_parser_accepts_what_is_difficult(write: Any) -> None:
    document = everything_said()
    found = parse(write(document))
    assert found["diagnostics"] == []
    assert found["messages"] == list(document["components"]["messages"])


def test_the_parser_accepts_an_application_that_declares_nothing() -> None:
    assert parse(document_json(build_document(Settings(registry=Registry()))))["diagnostics"] == []


def test_the_parser_would_find_something() -> None:
    document = everything_said()
    del document["info"]["version"]
    assert parse(document_json(document))["diagnostics"] != []


def test_the_yaml_is_the_json() -> None:
    document = everything_said()
    assert yaml.safe_load(to_yaml(document)) == json.loads(document_json(document)) == document


def test_identifiers_are_such_as_generators_take() -> None:
    document = everything_said()
    names = [*document["operations"], *document["channels"], *document["components"]["messages"]]
    assert all(name.isascii() and name.replace(".", "").replace("-", "").replace("_", "").isalnum() for name in names)
    actions = [each["x-wsproto-action"] for each in document["operations"].values() if "x-wsproto-action" in each]
    assert set(difficult.registry.actions) < set(actions)
