"""Runs where only the wheel and its dependencies are installed: the core answers, and brought no framework along."""

import asyncio
import sys
from importlib.metadata import version

import wsproto_core
from wsproto_core import ActionContext, Event, Registry, Settings, action
from wsproto_core.asyncapi import build_document, docs_page
from wsproto_core.testing import connect

registry = Registry()


class Greeted(Event, name="greeted"):
    """What `greet` answers."""

    text: str


@action("greet", registry=registry)
async def greet(payload: dict[str, str], context: ActionContext) -> Greeted:
    """Greet whoever the payload names."""
    return Greeted(text=f"hello {payload['name']}, user {context.user_id}")


async def main() -> None:
    """Call the built-in action and our own, without a server."""
    async with connect(registry, user_id=1) as client:
        health = await client.call("health", {})
        assert health.events[0].payload["status"] == "ok", health
        greeted = await client.call("greet", {"name": "Ada"})
        assert greeted.expect(Greeted).text == "hello Ada, user 1", greeted


asyncio.run(main())

assert "action.greet" in build_document(Settings(registry=registry))["operations"]
assert docs_page("/asyncapi.json").startswith("<!doctype html>")

assert wsproto_core.__version__ == version("wsproto-core")
frameworks = {"channels", "django", "fastapi", "flask", "nats", "redis", "starlette", "uvicorn", "websockets"}
assert not frameworks & sys.modules.keys(), frameworks & sys.modules.keys()
print("wsproto-core", wsproto_core.__version__, "answers from", wsproto_core.__path__[0])
