import asyncio
import gzip
import json
from typing import Any

import pytest

from wsproto_core import ConnectionInfo, Headers, Hub, Problem, Registry, Settings
from wsproto_core.asyncapi import Answer, HostFacts, Socket, document_json

PATHS = ["/asyncapi.json", "/asyncapi.yaml", "/asyncapi", "/asyncapi.css", "/asyncapi.js"]


def hub_of(registry: Registry, **options: Any) -> Hub:
    return Hub(Settings(registry=registry, **options))


async def get(hub: Hub, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Answer:
    answer = await hub.site.answer(path, ConnectionInfo(path=path, headers=Headers(headers or {})), **options)
    assert answer is not None
    return answer


def test_the_paths_are_those_of_the_settings(registry: Registry) -> None:
    assert hub_of(registry).site.paths == PATHS
    assert hub_of(registry, docs_url=None).site.paths == ["/asyncapi.json", "/asyncapi.yaml"]
    assert hub_of(registry, asyncapi_url="/contract").site.paths[:2] == ["/contract", "/contract.yaml"]
    assert hub_of(registry, asyncapi_url=None, docs_url=None).site.paths == []


async def test_a_page_without_a_document_of_its_own_brings_it_along(registry: Registry) -> None:
    hub = hub_of(registry, asyncapi_url=None)
    assert "/asyncapi.yaml" not in hub.site.paths
    page = await get(hub, "/asyncapi")
    assert b'"/asyncapi.json"' in page.body
    assert json.loads((await get(hub, "/asyncapi.json")).body) == hub.asyncapi()


@pytest.mark.parametrize(
    ("path", "content_type"),
    list(
        zip(
            PATHS,
            [
                "application/json",
                "application/yaml",
                "text/html; charset=utf-8",
                "text/css; charset=utf-8",
                "text/javascript; charset=utf-8",
            ],
            strict=True,
        )
    ),
)
async def test_everything_is_served_as_what_it_is(registry: Registry, path: str, content_type: str) -> None:
    hub = hub_of(registry)
    answer = await get(hub, path)
    headers = dict(answer.headers)
    assert answer.status == 200
    assert headers["content-type"] == content_type
    assert headers["content-length"] == str(len(answer.body))
    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert ("content-security-policy" in headers) == (path == "/asyncapi")
    head = await get(hub, path, method="HEAD")
    assert (head.status, head.headers, head.body) == (200, answer.headers, b"")
    for tags in (headers["etag"], f'"other", {headers["etag"].removeprefix("W/")}', "*"):
        again = await get(hub, path, headers={"If-None-Match": tags})
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)["etag"] == headers["etag"]
    assert (await get(hub, path, headers={"If-None-Match": '"other"'})).status == 200


async def test_it_is_compressed_for_who_takes_that(registry: Registry) -> None:
    hub = hub_of(registry, problem_pages_url="/problems")
    plain = await get(hub, "/asyncapi.json", headers={"Accept-Encoding": "br, gzip;q=0.0"})
    zipped = await get(hub, "/asyncapi.json", headers={"Accept-Encoding": "br;q=1.0, GZIP;q=0.5"})
    assert gzip.decompress(zipped.body) == plain.body
    headers = dict(zipped.headers)
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(zipped.body))
    assert headers["vary"] == "accept-encoding"
    assert headers["etag"] == dict(plain.headers)["etag"]
    assert dict((await get(hub, "/problems/conflict")).headers)["vary"] == "accept, accept-language, accept-encoding"


async def test_everything_else_is_not_ours(registry: Registry) -> None:
    site = hub_of(registry, problem_pages_url="/problems").site
    info = ConnectionInfo()
    assert not site.has("/other")
    assert await site.answer("/other", info) is None
    assert await site.answer("/asyncapi", info, method="POST") is None
    assert await site.answer("/problems/nothing", info) is None
    assert await site.answer("/problemsome", info) is None
    assert site.answer_in_thread("/other", info, asyncio.run) is None


async def test_the_document_is_made_again_when_something_has_changed(registry: Registry) -> None:
    hub = hub_of(registry)
    sockets = [Socket(address="/ws/")]
    hub.contract.add_host(HostFacts(sockets=lambda: sockets))
    bodies = [(await get(hub, "/asyncapi.json")).body]
    assert (await get(hub, "/asyncapi.json")).body == bodies[0]
    sockets.append(Socket(address="/two"))
    bodies.append((await get(hub, "/asyncapi.json")).body)

    @registry.action("later")
    async def later() -> None: ...

    bodies.append((await get(hub, "/asyncapi.json")).body)
    assert len(set(bodies)) == 3


async def test_what_comes_before_the_paths_is_in_all_that_refers_to_them(registry: Registry) -> None:
    hub = hub_of(registry, sockets=["/ws/"], problem_pages_url="/problems")
    document = json.loads((await get(hub, "/asyncapi.json", root_path="/api")).body)
    assert document["channels"]["ws"]["address"] == "/api/ws/"
    page = (await get(hub, "/asyncapi", root_path="/api", prefix="/api/docs")).body.decode()
    assert '"/api/docs/asyncapi.json"' in page
    assert 'src="/api/docs/asyncapi.js"' in page
    assert b'href="/api/problems/conflict?' in (await get(hub, "/problems", root_path="/api")).body


async def test_a_root_path_of_everybodys_choice_takes_no_memory(registry: Registry) -> None:
    hub = hub_of(registry)
    for number in range(50):
        await get(hub, "/asyncapi.json", root_path=f"/{number}")
    assert len(hub.site._cache) <= 8


async def test_problems_have_pages_where_the_application_wants_them(registry: Registry) -> None:
    assert hub_of(registry).site.problem_pages is None
    hub = hub_of(registry, problem_pages_url="/problems")
    assert hub.site.problem_pages == "/problems"
    for path in ("/problems", "/problems/", "/problems/conflict"):
        assert (await get(hub, path)).status == 200
    registry.add_problem(type("Full", (Problem,), {"status": 409, "code": "full"}))
    assert b"<code>full</code>" in (await get(hub, "/problems/full")).body


# Who may read it


def ask(info: ConnectionInfo) -> bool:
    if "cookie" not in info.headers:
        raise Problem("Log in first.", code="unauthenticated")
    return info.headers["cookie"] == "ada"


async def ask_later(info: ConnectionInfo) -> bool:
    return ask(info)


@pytest.mark.parametrize("hook", [ask, ask_later])
@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_application_may_ask_who_reads(registry: Registry, hook: Any, in_thread: bool) -> None:
    hub = hub_of(registry, authorize_docs=hook, problem_pages_url="/problems")

    async def status(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        info = ConnectionInfo(path=path, headers=Headers(headers))
        if in_thread:
            answer = await asyncio.to_thread(hub.site.answer_in_thread, path, info, asyncio.run)
        else:
            answer = await hub.site.answer(path, info)
        assert answer is not None
        return answer.status, dict(answer.headers)

    for path in [*PATHS, "/problems", "/problems/conflict"]:
        refused, headers = await status(path, {})
        assert (refused, headers["content-type"]) == (401, "application/problem+json")
        assert (await status(path, {"cookie": "bob"}))[0] == 403
        allowed, headers = await status(path, {"cookie": "ada"})
        assert (allowed, headers["cache-control"]) == (200, "private, no-cache")


async def test_without_a_hook_a_thread_is_answered_likewise(registry: Registry) -> None:
    hub = hub_of(registry)
    answer = hub.site.answer_in_thread("/asyncapi", ConnectionInfo(), asyncio.run, root_path="/api")
    assert answer == await hub.site.answer("/asyncapi", ConnectionInfo(), root_path="/api")


def test_a_document_is_strict_json() -> None:
    assert document_json({"ż": 1}) == '{"ż":1}'
    assert document_json({"a": 1}, indent=2) == '{\n  "a": 1\n}'
    with pytest.raises(ValueError, match="JSON"):
        document_json({"a": float("inf")})
