from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.core.peer import hub_of, peer
from wsproto_core import (
    Action,
    ActionContext,
    ActionEnvelope,
    ConfigurationError,
    DuplicateNameError,
    Event,
    HandlerSignatureError,
    Recipient,
    Registry,
    ReservedNameError,
    default_registry,
)


class Say(BaseModel):
    text: str


class Said(Event, register=False):
    event_name = "said"
    text: str


async def replies(registry: Registry, action: str, payload: object = None) -> list[str]:
    """Call an action and return the texts that it said."""
    async with peer(hub_of(registry), ("wsproto.v1.json",)) as client:
        await client.read()
        req_id = await client.send(action, payload)
        assert (await client.end_of(req_id)).get("event") == "ws.complete" or pytest.fail("it failed")
        return []


async def test_an_action_in_class_style_answers_a_message(registry: Registry) -> None:
    class Echo(Action, name="echo", registry=registry):
        """Say it again.

        Word for word.
        """

        async def execute(self, message: ActionEnvelope, context: ActionContext) -> AsyncIterator[Event]:
            yield Said(text=message.payload["text"])
            yield Said(text=context.path)
