"""Runs where the wheel with [fastapi], uvicorn and websockets is installed: the README's application on a real port.

The application is the module `app` in the current folder.
"""

import json
import re
import signal
import subprocess
import sys
from typing import Any
from uuid import uuid4

from websockets.sync.client import ClientConnection, connect

SECONDS = 20


def call(websocket: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Send an action and return the one event or problem that answers it."""
    req_id = str(uuid4())
    websocket.send(json.dumps({"msg_id": str(uuid4()), "req_id": req_id, "action": action, "payload": payload}))
    answer: dict[str, Any] = json.loads(websocket.recv(timeout=SECONDS))
    assert answer["req_id"] == req_id, answer
    return answer


def port_of(server: subprocess.Popen[str]) -> int:
    """Read the server's log until it names its port."""
    assert server.stderr is not None
    seen = ""
    for line in server.stderr:
        seen += line
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(f"the server did not start:\n{seen}")


server = subprocess.Popen(
    [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "0"],
    stderr=subprocess.PIPE,
    text=True,
)
try:
    with connect(f"ws://127.0.0.1:{port_of(server)}/ws/", open_timeout=SECONDS) as websocket:
        health = call(websocket, "health", {})
        assert (health["event"], health["payload"], health["seq"]) == ("health", {"status": "ok"}, 1), health
        said = call(websocket, "chat.say", {"room": "lobby", "text": "hi"})
        assert (said["event"], said["payload"]["text"], said["seq"]) == ("chat.said", "hi", 2), said
        problem = call(websocket, "chat.say", {"room": "lobby"})
        assert (problem["code"], problem["status"]) == ("invalid_payload", 422), problem
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=SECONDS)
finally:
    server.kill()

print("the README's application answers health and chat.say, refuses what is invalid, and ends at SIGTERM")
