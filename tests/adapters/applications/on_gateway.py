"""A gateway that is an ASGI application: `WebSocketProxy` with the arguments of the variable ``TEST_GATEWAY``.

``GET /inside`` says what the process holds, as JSON. The proxy is mounted at ``/gate``; every other path is
the proxy's as well, without a mount.
"""

import asyncio
import gc
import json
import os
from typing import Any

from wsproto_core import Problem
from wsproto_core.transport import ConnectionInfo
from wsproto_proxy import WebSocketProxy

ARGUMENTS = json.loads(os.environ["TEST_GATEWAY"])


async def find_target(info: ConnectionInfo) -> str:
    """Say where to go, as the query asks: the arguments have a table."""
    await asyncio.sleep(0)
    name = info.query.removeprefix("to=")
    if name not in ARGUMENTS["table"]:
        raise Problem("There is no such service.", status=404, code="no_service")
    url: str = ARGUMENTS["table"][name]
    return url


OPTIONS = {name: value for name, value in ARGUMENTS.items() if name not in {"target", "table"}}
proxy = WebSocketProxy(ARGUMENTS.get("target", find_target), **OPTIONS)


def look_inside() -> dict[str, Any]:
    """What the process holds."""
    gc.collect()
    sockets = [name for name in os.listdir("/proc/self/fd") if _link(name).startswith("socket:")]
    tasks = [repr(task) for task in asyncio.all_tasks()]
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return {
        "connections": proxy.connections,
        "relays": len(proxy.relays),
        "sockets": len(sockets),
        "tasks": tasks,
        "memory": pages * os.sysconf("SC_PAGESIZE"),
        "pid": os.getpid(),
    }


def _link(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/inside":
        body = json.dumps(look_inside()).encode()
        headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    if scope["type"] != "lifespan" and scope["path"].startswith("/gate"):
        scope = {**scope, "root_path": "/gate"}
    await proxy(scope, receive, send)
