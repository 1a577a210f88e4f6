"""Each way for a credential into each host: right, wrong, late, at its end and renewed; and that nobody tells it on."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import Client

SECRET = "s3cr3t"  # in every token of this module
URL_SECRET = "l3ak3d"  # in those that come in a URL, which servers write to their access logs by themselves
GRACE = 0.5


@pytest.fixture(scope="module")
def guarded(host: Host, start: Callable[..., Server]) -> Iterator[Server]:
    """A server of this module alone, with little patience; when all is over, its log holds no token."""
    with start(host, authentication_timeout=1, credential_grace=GRACE) as server:
        yield server
    log = server.log
    assert SECRET not in log
    assert base64.b64encode(f"ada:{SECRET}".encode()).decode()[:9] not in log
    assert not [line for line in log.splitlines() if URL_SECRET in line and re.search("refused|wsproto_core", line)]


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "bearer": lambda token: {"additional_headers": {"Authorization": f"Bearer {token}"}},
    "basic": lambda token: {"additional_headers": basic(f"ada:{token}")},
    "subprotocol": lambda token: {"subprotocols": ["access-token", token]},
}


async def user_of(client: Client) -> Any:
    return (await client.ask("whoami"))["payload"]["user_id"]


def answered(client: Client) -> str:
    """What the server answered to the handshake."""
    response = client.websocket.response
    assert response is not None
    return str(response.headers)


async def check_refusal(server: Server, host: Host, path: str, **options: Any) -> None:
    """Be refused with 401, or as this host can do it, without a word of the credential."""
    response = await server.refusal(path, **options)
    told = f"{response.headers}{(response.body or b'').decode(errors='replace')}"
    assert SECRET not in told
    assert URL_SECRET not in told
    if "denial" in host.lacks:
        assert response.status_code == 403
        return
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(response.body or b"{}")["code"] == "unauthenticated"


@pytest.mark.parametrize("way", WAYS)
async def test_a_right_credential_is_taken_and_a_wrong_one_refused(guarded: Server, host: Host, way: str) -> None:
    async with guarded.connect("/login/", **WAYS[way](f"{SECRET}!ada")) as client:
        assert await user_of(client) == "ada"
        assert SECRET not in answered(client)
    await check_refusal(guarded, host, "/login/", **WAYS[way](f"{SECRET}!forged"))


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Token s3cr3t", "s3cr3t", "Basic s3cr3t!", "Basic /w==", "Digest username=s3cr3t"],
    ids=["none", "blank", "scheme", "no scheme", "no base64", "no UTF-8", "digest"],
)
async def test_what_is_no_credential_is_none(guarded: Server, host: Host, authorization: str) -> None:
    await check_refusal(guarded, host, "/login/", additional_headers={"Authorization": authorization})


async def test_a_ticket_lets_in_once(guarded: Server, host: Host) -> None:
    async with guarded.connect() as issuer:
        ticket = (await issuer.ask("ticket", {"name": "ada"}))["payload"]["name"]
    async with guarded.connect(f"/login/?ticket={ticket}") as client:
        assert await user_of(client) == "ada"
        assert ticket not in answered(client)
    for wrong in (ticket, f"{URL_SECRET}-ticket", ""):
        await check_refusal(guarded, host, f"/login/?ticket={wrong}")
    assert not [line for line in guarded.log.splitlines() if ticket in line and re.search("refused|wsproto_core", line)]


async def test_the_first_message_may_be_the_credential(guarded: Server) -> None:
    async with guarded.connect("/login/?later") as client:
        early = await client.ask("whoami")
        assert early["code"] == "unauthenticated"
        wrong = await client.ask("ws.authenticate", {"token": f"{SECRET}!forged"})
        assert (wrong["code"], SECRET in json.dumps(wrong)) == ("unauthenticated", False)
        assert (await client.ask("ws.authenticate", {"token": "ada"}))["payload"] == {"user_id": "ada"}
        assert await user_of(client) == "ada"


async def test_who_authenticates_too_late_is_cut_and_may_come_back(guarded: Server) -> None:
    async with guarded.connect("/login/?later") as client:
        assert await client.is_served()
        await client.ask("ws.authenticate", {"token": f"{SECRET}!forged"})
        code, reason = await client.closed()
        assert (code, "ws.authenticate" in reason) == (3008, True)


@pytest.mark.parametrize("way", ["bearer", "subprotocol", "message"])
async def test_a_connection_ends_with_its_credential_and_the_grace(guarded: Server, way: str) -> None:
    end = time.time() + 1
    token = f"{SECRET}!ada~{end}"
    path, options = ("/login/?later", {}) if way == "message" else ("/login/", WAYS[way](token))
    async with guarded.connect(path, **options) as client:
        if way == "message":
            await client.ask("ws.authenticate", {"token": token})
        code, reason = await client.closed()
        assert (code, SECRET in reason) == (3000, False)
        assert time.time() >= end + GRACE - 0.1


async def test_a_credential_that_has_ended_lets_nobody_in(guarded: Server, host: Host) -> None:
    token = f"{SECRET}!ada~{time.time() - 60}"
    await check_refusal(guarded, host, "/login/", **WAYS["bearer"](token))
    async with guarded.connect("/login/", **WAYS["bearer"](f"{SECRET}!ada")) as client:
        refused = await client.ask("ws.authenticate", {"token": token})
        assert (refused["code"], SECRET in json.dumps(refused)) == ("unauthenticated", False)
        assert await client.is_served()


async def test_a_credential_is_renewed_before_it_ends_and_only_by_its_user(guarded: Server) -> None:
    end = time.time() + 1.5
    async with guarded.connect("/login/", **WAYS["subprotocol"](f"{SECRET}!ada~{end}")) as client:
        other = await client.ask("ws.authenticate", {"token": f"{SECRET}!eve"})
        assert (other["code"], SECRET in json.dumps(other)) == ("forbidden", False)
        renewed = await client.ask("ws.authenticate", {"token": f"{SECRET}!ada~{end + 1.5}"})
        assert renewed["payload"]["expires_at"] == end + 1.5
        code, _ = await client.closed()
        assert code == 3000
        assert time.time() >= end + 1.5 + GRACE - 0.1


@pytest.mark.parametrize("parameter", ["token", "access_token", "jwt"])
async def test_a_token_in_the_url_is_refused_even_beside_a_right_one(
    guarded: Server, host: Host, parameter: str
) -> None:
    path = f"/login/?{parameter}={URL_SECRET}"
    await check_refusal(guarded, host, path)
    await check_refusal(guarded, host, path, **WAYS["bearer"](f"{SECRET}!ada"))


async def test_what_is_refused_is_in_the_security_log_with_its_reason(guarded: Server, host: Host) -> None:
    before = len(guarded.log)
    await guarded.refusal("/login/", origin="https://evil.example", **WAYS["bearer"](f"{SECRET}!ada"))
    await check_refusal(guarded, host, "/login/", **WAYS["bearer"](f"{SECRET}!forged"))
    async with guarded.connect("/login/", **WAYS["bearer"](f"{SECRET}!ada")) as client:
        await client.ask("ws.authenticate", {"token": f"{SECRET}!forged"})
    lines = [line for line in guarded.log[before:].splitlines() if "refused:" in line]
    expected = (
        r"origin refused: 'https://evil\.example'; expected http://127\.0\.0\.1:\d+\. .*on '/login/', from 127\.0",
        r"connection refused: unauthenticated \(on '/login/', from 127\.0",
        r"ws\.authenticate refused: unauthenticated \(connection [-.0-9a-f]+, user 'ada'",
    )
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.search(pattern, line), line
