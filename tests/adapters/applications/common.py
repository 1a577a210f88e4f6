"""What the applications under test share beside their actions: settings, users, and a look inside."""

import asyncio
import gc
import json
import logging
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.adapters.applications.actions import farewells
from tests.adapters.applications.hub_actions import may_subscribe
from wsproto_core import SAME_ORIGIN, CloseCode, Hub, HubOptions, Limits, Presence, user
from wsproto_core.security import AllowedOrigins

logging.basicConfig(level=logging.INFO)
logging.getLogger("wsproto_core").setLevel(logging.DEBUG)


def limits() -> Limits:
    """Return the limits that the test asked for."""
    given = json.loads(os.environ.get("TEST_LIMITS", "{}"))
    return Limits(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def hook() -> Any:
    """Return what is asked for subscriptions, if the test wants a hook at all."""
    return may_subscribe if "TEST_HOOK" in os.environ else None


def origins() -> AllowedOrigins:
    """Return the origins that the test asked for, beside the same one."""
    return [SAME_ORIGIN, *os.environ.get("TEST_ORIGINS", "").split()]


def together() -> HubOptions:
    """Return how the process finds the others that the test started, if there are any."""
    lease = float(os.environ.get("TEST_LEASE", "30"))
    if url := os.environ.get("TEST_BACKPLANE"):
        if url.startswith("nats"):
            return {"backplane": url}  # which keeps nothing
        return {"backplane": url, "presence": Presence(lease=lease)}
    if url := os.environ.get("TEST_LAYER"):
        from wsproto_redis import RedisPresenceStore  # of another adapter, which need not be there

        return {"presence": Presence(lease=lease, store=RedisPresenceStore(url))}
    return {}


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
        "rss_bytes": resident_bytes(),
        "peak_bytes": peak if sys.platform == "darwin" else peak * 1024,
    }


def resident_bytes() -> int:
    """Return the memory that this process has now; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else 0


async def ban(hub: Hub, name: str) -> int:
    """Close every connection of the user that `user_from` knows by this name, as an administrator's view does."""
    user_id = user_from(name)
    assert user_id is not None
    return await hub.disconnect(user(user_id), CloseCode.FORBIDDEN, "You are banned.")


PAGE = """<!doctype html>
<title>Site</title>
<form method="post" action="log-in/ada"><button>Log in</button></form>
"""
"""A page on which its visitor can become Ada."""
