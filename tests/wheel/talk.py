"""Talks to what a page's quick start serves: python talk.py EXTRA '{"url": "ws://…", …}'

It runs in an environment of its own, so that nothing that the client needs is lent to the server.
"""

import json
import subprocess
import sys
import urllib.request
from typing import Any
from uuid import uuid4

import msgpack
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

SECONDS = 20


def call(websocket: ClientConnection, action: str, **payload: Any) -> dict[str, Any]:
    """Send an action and return the one event or problem that answers it."""
    req_id = str(uuid4())
    websocket.send(json.dumps({"msg_id": str(uuid4()), "req_id": req_id, "action": action, "payload": payload}))
    answer: dict[str, Any] = json.loads(websocket.recv(timeout=SECONDS))
    assert answer["req_id"] == req_id, answer
    return answer


def opened(url: str, **options: Any) -> ClientConnection:
    return connect(url, open_timeout=SECONDS, **options)


def refused(url: str, **options: Any) -> int:
    """Return the status that a connection is refused with."""
    try:
        with opened(url, **options):
            raise AssertionError(f"{url} lets everybody in")
    except InvalidStatus as error:
        return error.response.status_code


def asgi(url: str) -> None:
    with opened(url) as websocket:
        assert call(websocket, "health")["payload"] == {"status": "ok"}
        assert call(websocket, "ping")["event"] == "pong"


websockets = proxy = asgi


def fastapi(url: str) -> None:
    with opened(url) as websocket:
        health = call(websocket, "health")
        assert (health["event"], health["payload"], health["seq"]) == ("health", {"status": "ok"}, 1), health
        said = call(websocket, "chat.say", room="lobby", text="hi")
        assert (said["event"], said["payload"]["text"], said["seq"]) == ("chat.said", "hi", 2), said
        problem = call(websocket, "chat.say", room="lobby")
        assert (problem["code"], problem["status"]) == ("invalid_payload", 422), problem


def flask(url: str) -> None:
    with opened(url) as websocket:
        assert call(websocket, "health")["payload"] == {"status": "ok"}
        assert call(websocket, "nothing")["type"] == "https://example.com/problems/unknown-action"
    page = url.replace("ws:", "http:").replace("/ws/", "/asyncapi.json")
    with urllib.request.urlopen(page, timeout=SECONDS) as response:
        assert "action.health" in json.load(response)["operations"]


def channels(url: str, session: str) -> None:
    assert refused(url) in {401, 403}
    with opened(url, additional_headers={"Cookie": f"sessionid={session}"}) as websocket:
        said = call(websocket, "chat.say", room="lobby", text="hi")
        assert said["payload"] == {"user": "ada", "text": "hi"}, said
        assert call(websocket, "members.count")["payload"] == {"count": 1}


def jwt(url: str, token: str) -> None:
    assert refused(url, additional_headers={"Authorization": "Bearer forged"}) == 401
    with opened(url, additional_headers={"Authorization": f"Bearer {token}"}) as websocket:
        assert call(websocket, "chat.say", room="lobby", text="hi")["payload"]["user_id"] == "ada"


itsdangerous = jwt


def packed(url: str) -> None:
    with opened(url, subprotocols=["wsproto.v1.msgpack"]) as websocket:
        assert websocket.subprotocol == "wsproto.v1.msgpack"
        assert msgpack.unpackb(websocket.recv(timeout=SECONDS))["event"] == "ws.ready"
        message = {"msg_id": str(uuid4()), "req_id": str(uuid4()), "action": "health", "payload": {}}
        websocket.send(msgpack.packb(message))
        assert msgpack.unpackb(websocket.recv(timeout=SECONDS))["payload"] == {"status": "ok"}


def between(url: str, other: str, emit: list[str]) -> None:
    """Two processes, and a program that emits from outside."""
    with opened(url) as here, opened(other) as there:
        call(here, "chat.join", room="lobby")
        call(there, "chat.say", room="lobby", text="from the other process")
        heard = json.loads(here.recv(timeout=SECONDS))
        assert (heard["recipient_id"], heard["payload"]["text"]) == ("lobby", "from the other process"), heard
        subprocess.run(emit, check=True)
        heard = json.loads(here.recv(timeout=SECONDS))
        assert heard["payload"]["text"] == "from outside", heard


redis = nats = between

globals()[{"msgpack": "packed"}.get(sys.argv[1], sys.argv[1])](**json.loads(sys.argv[2]))
