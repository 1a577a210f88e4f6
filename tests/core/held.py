"""Handlers that are held up until a test lets them go."""

import asyncio
from typing import Any

from pydantic import BaseModel

from wsproto_core import Event, Registry

events = Registry()


class Said(Event, name="said", registry=events):
    text: str = ""


class Text(BaseModel):
    text: str = ""


class Gate:
    """Holds handlers until it is opened, and knows how many are held."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.cancelled = 0

    async def wait(self) -> None:
        self.entered += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def held_registry(gate: Gate, **options: Any) -> Registry:
    """Return actions: ``held`` waits for the gate, ``say`` answers at once."""
    registry = Registry()

    @registry.action("held", **options)
    async def held(payload: Text) -> Said:
        await gate.wait()
        return Said(text=payload.text)

    @registry.action("say")
    async def say(payload: Text) -> Said:
        return Said(text=payload.text)

    return registry
