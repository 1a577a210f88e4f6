"""What a hub documents, over HTTP, from every host."""

import gzip
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    """Return status, headers and body of an answer."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method, headers=fields)
    try:
        with OPENER.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def document_of(server: Server) -> dict[str, Any]:
    status, headers, body = ask(server, "/asyncapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(body)
    return document


def test_the_document_is_served(host: Host, server: Server) -> None:
    document = document_of(server)
    assert document["asyncapi"] == "3.1.0"
    addresses = [each["address"] for each in document["channels"].values() if each["x-wsproto-kind"] == "socket"]
    assert addresses[: 1 if host.adapter in {"asgi", "websockets"} else 2] == (
        ["/"] if host.adapter in {"asgi", "websockets"} else ["/ws/", "/login/"]
    )
    assert "action.chat.say" in document["operations"]
    assert {"ticket"} <= set(document["components"]["securitySchemes"])
    assert document["x-wsproto"]["problemTypeBaseUrl"] == "https://example.com/problems"


async def test_it_is_the_same_after_connections_have_come_and_gone(server: Server) -> None:
    before = document_of(server)
    async with server.connect() as client:
        await client.ask("health")
    assert document_of(server) == before


def test_it_is_served_as_yaml(server: Server) -> None:
    status, headers, body = ask(server, "/asyncapi.yaml")
    assert (status, headers["content-type"]) == (200, "application/yaml")
    assert body.startswith(b'asyncapi: "3.1.0"\n')


def test_the_page_comes_in_parts_that_a_strict_policy_allows(server: Server) -> None:
    status, headers, page = ask(server, "/asyncapi")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in headers["content-security-policy"]
    assert b'href="/asyncapi.css"' in page
    assert b'src="/asyncapi.js"' in page
    assert b'"/asyncapi.json"' in page
    assert b"<style" not in page
    for path, content_type in [("/asyncapi.css", "text/css"), ("/asyncapi.js", "text/javascript")]:
        status, headers, body = ask(server, path)
        assert (status, headers["content-type"]) == (200, f"{content_type}; charset=utf-8")
        assert body


@pytest.mark.parametrize(
    "path", ["/asyncapi.json", "/asyncapi.yaml", "/asyncapi", "/asyncapi.js", "/problems/conflict"]
)
def test_nothing_is_sent_twice(server: Server, path: str) -> None:
    status, headers, body = ask(server, path)
    assert status == 200
    assert headers["content-length"] == str(len(body))
    head, its_headers, nothing = ask(server, path, "HEAD")
    assert (head, nothing) == (200, b"")
    assert its_headers["etag"] == headers["etag"]
    assert ask(server, path, if_none_match=headers["etag"])[::2] == (304, b"")
    status, headers, zipped = ask(server, path, accept_encoding="gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(zipped) == body


def test_problems_have_pages(server: Server) -> None:
    for slug in ("", "/conflict"):
        status, headers, body = ask(server, f"/problems{slug}", accept_language="pl")
        assert (status, headers["content-language"]) == (200, "pl")
        assert 'lang="pl"' in body.decode()
    status, headers, body = ask(server, "/problems/conflict", accept="application/problem+json")
    assert (status, headers["content-type"]) == (200, "application/problem+json")
    assert json.loads(body)["type"] == "https://example.com/problems/conflict"
    assert 'lang="pl"' in ask(server, "/problems/conflict?lang=pl")[2].decode()


def test_a_problem_that_there_is_not_has_no_page(host: Host, server: Server) -> None:
    assert ask(server, "/problems/there-is-not")[0] in {404, 426}
