import asyncio
import time
from uuid import UUID

import pytest

from wsproto_core import AUTHENTICATE_LATER, NOT_GIVEN, ActionContext, ConnectionInfo, Event, Identity, Registry
from wsproto_core.builtin_actions import BUILTIN_ACTIONS, Authenticated, HealthEvent
from wsproto_core.testing import Client, Reply, connect

EXPIRY = time.time() + 3_600


def authenticate(info: ConnectionInfo) -> object:
    """Know the tokens of two users; who comes without one authenticates later."""
    match info.token:
        case None:
            return AUTHENTICATE_LATER
        case "ada" | "ada again":
            return Identity("ada", expires_at=EXPIRY)
        case "bob":
            return UUID(int=1)
        case _:
            return None


def code_of(reply: Reply) -> str | None:
    return None if reply.problem is None else reply.problem.code


def test_each_built_in_action_is_described() -> None:
    assert all(spec.name == name and spec.summary for name, spec in BUILTIN_ACTIONS.items())
    assert {"health", "ws.authenticate", "ws.cancel"} <= set(BUILTIN_ACTIONS)
    assert BUILTIN_ACTIONS["health"].replies == (HealthEvent,)


async def test_health_is_answered_to_who_asked(registry: Registry) -> None:
    async with connect(registry) as client:
        reply = await client.call("health", {})
        assert [(event.event, event.payload) for event in reply.events] == [("health", {"status": "ok"})]
        assert (reply.events[0].recipient, reply.events[0].recipient_id) == ("websocket", client.connection_id)


async def test_an_application_may_have_a_health_of_its_own(registry: Registry) -> None:
    class Fine(Event, name="health", registry=registry):
        status: str = "fine"

    registry.action("health")(Fine)
    async with connect(registry) as client:
        assert (await client.call("health")).expect(Fine).status == "fine"


async def test_who_authenticates_by_message_is_told_who_they_are(registry: Registry) -> None:
    @registry.action("who")
    async def who(context: ActionContext) -> None:
        await context.emit(Authenticated(user_id=context.user_id))

    async with connect(registry, user_id=NOT_GIVEN, authenticate=authenticate) as client:
        assert code_of(await client.call("who")) == "unauthenticated"
        reply = await client.call("ws.authenticate", {"token": "ada"})
        assert reply.events[0].event == "ws.authenticated"
        assert reply.events[0].payload == {"user_id": "ada", "expires_at": EXPIRY}
        assert (await client.call("who")).expect(Authenticated).user_id == "ada"


async def test_a_credential_without_an_end_has_no_expiry(registry: Registry) -> None:
    async with connect(registry, user_id=NOT_GIVEN, authenticate=authenticate) as client:
        reply = await client.call("ws.authenticate", {"token": "bob"})
        assert reply.events[0].payload == {"user_id": str(UUID(int=1))}


async def test_a_credential_is_renewed_but_not_for_another_user(registry: Registry) -> None:
    async with connect(registry, user_id="ada", authenticate=authenticate) as client:
        assert code_of(await client.call("ws.authenticate", {"token": "ada again"})) is None
        assert code_of(await client.call("ws.authenticate", {"token": "bob"})) == "forbidden"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"token": "s3cret"}, "unauthenticated"),
        ({"token": ["s3cret"]}, "invalid_payload"),
        ({}, "invalid_payload"),
    ],
    ids=["wrong", "no text", "none"],
)
async def test_a_token_that_is_not_valid_is_refused_and_never_shown(
    registry: Registry, caplog: pytest.LogCaptureFixture, payload: dict[str, object], code: str
) -> None:
    caplog.set_level(0)
    async with connect(registry, user_id=NOT_GIVEN, authenticate=authenticate) as client:
        reply = await client.call("ws.authenticate", payload)
    assert code_of(reply) == code
    assert "s3cret" not in f"{reply} {caplog.text}"


async def test_a_server_that_does_not_authenticate_says_so(registry: Registry) -> None:
    async with connect(registry) as client:
        assert code_of(await client.call("ws.authenticate", {"token": "ada"})) == "unauthenticated"


@pytest.fixture
def stopped(registry: Registry) -> list[str]:
    """What was stopped, by an action that waits for ever."""
    stopped: list[str] = []

    @registry.action("wait")
    async def wait(payload: dict[str, str]) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append(payload["name"])

    return stopped


async def ends_of(client: Client, *req_ids: str) -> dict[str, str | None]:
    """Read the ends of these requests, in the order in which they come."""
    ends: dict[str, str | None] = {}
    while len(ends) < len(req_ids):
        message = await client.receive()
        ends[str(message.req_id)] = getattr(message, "code", None) or getattr(message, "event", None)
    return ends


async def test_a_running_request_is_cancelled_and_so_is_a_queued_one(registry: Registry, stopped: list[str]) -> None:
    async with connect(registry) as client:
        running, queued = [await client.send("wait", {"name": name}) for name in ("running", "queued")]
        cancels = [await client.send("ws.cancel", {"req_id": req_id.upper()}) for req_id in (queued, running)]
        ends = await ends_of(client, running, queued, *cancels)
    assert ends == {running: "cancelled", queued: "cancelled", **dict.fromkeys(cancels, "ws.complete")}
    assert stopped == ["running"], "the queued one never began"


async def test_with_nothing_to_stop_a_cancel_completes(registry: Registry, stopped: list[str]) -> None:
    async with connect(registry) as client, connect(client.hub) as other:
        running = await client.send("wait", {"name": "running"})
        unknown = await client.call("ws.cancel", {"req_id": "123e4567-e89b-42d3-a456-426614174000"})
        not_theirs = await other.call("ws.cancel", {"req_id": running})
        no_id = await other.call("ws.cancel", {"req_id": "all"})
        assert (code_of(unknown), code_of(not_theirs), code_of(no_id), stopped) == (None, None, "invalid_payload", [])
