"""What Django projects document."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.hosts import HOSTS, Host
from tests.adapters.serving import Server

CHANNELS = next(host for host in HOSTS if host.name == "channels")


@pytest.fixture
def project(shared: Callable[[Host], Server]) -> Server:
    return shared(CHANNELS)


def get(server: Server, path: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body


def document_of(server: Server, path: str = "/asyncapi.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(get(server, path))
    return document


def test_the_sockets_are_those_of_the_asgi_application(project: Server) -> None:
    channels = document_of(project)["channels"]
    sockets = {each["address"]: each for each in channels.values() if each["x-wsproto-kind"] == "socket"}
    assert list(sockets) == ["/ws/", "/login/", "/layer/", "/session/", "/token/"]
    assert sockets["/ws/"]["title"] == "QueryConsumer"
    assert sockets["/ws/"]["description"] == "Knows its user from ``?user=``, as the table of hosts asks for."


def test_what_lets_in_is_what_is_around_the_consumers(project: Server) -> None:
    schemes = document_of(project)["components"]["securitySchemes"]
    assert {"cookie", "subprotocol", "ticket"} <= set(schemes)
    assert schemes["cookie"]["name"] == "sessionid"


def test_it_may_be_included_below_a_prefix(project: Server) -> None:
    page = get(project, "/below/asyncapi").decode()
    assert '"/below/asyncapi.json"' in page
    assert 'src="/below/asyncapi.js"' in page
    assert "ws" in document_of(project, "/below/asyncapi.json")["channels"]
    assert b'href="/below/problems?lang=' in get(project, "/below/problems/conflict")
