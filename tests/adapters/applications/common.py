"""What the applications under test share beside their actions: settings, users, and a look inside."""

import asyncio
import gc
import json
import logging
import os
import resource
import sys
import threading
from typing import Any
from uuid import UUID

from tests.adapters.applications.actions import farewells
from wsproto_core import Hub, Limits

logging.basicConfig(level=logging.INFO)
logging.getLogger("wsproto_core").setLevel(logging.DEBUG)


def limits() -> Limits:
    """Return the limits that the test asked for."""
    return Limits(**json.loads(os.environ.get("TEST_LIMITS", "{}")))


def user_from(text: str | None) -> int | str | UUID | None:
    """Return the user that ``?user=int:1``, ``str:ada`` or ``uuid:…`` names; none is anonymous."""
    kind, _, value = (text or "").partition(":")
    match kind:
        case "int":
            return int(value)
        case "uuid":
            return UUID(value)
        case "str":
            return value
        case _:
            return None


def look_inside(hub: Hub) -> dict[str, Any]:
    """Return what a test may ask about the process."""
    stats = hub.stats()
    gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "connections": sorted(hub.connections),
        "opened": stats.opened,
        "topics": stats.topics,
        "counters": dict(stats.counters),
        "rooms": sorted(hub.rooms()),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "farewells": dict(farewells),
        "peak_bytes": peak if sys.platform == "darwin" else peak * 1024,
    }
