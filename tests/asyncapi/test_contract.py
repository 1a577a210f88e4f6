"""The schemas of the document are true: what the server sends fits them, and they refuse what the server refuses."""

import json
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft7Validator
from referencing import Registry as References
from referencing import Resource
from referencing.jsonschema import DRAFT7

from tests.asyncapi import difficult
from wsproto_core import Hub, Settings
from wsproto_core.codec import V1_JSON
from wsproto_core.testing import Client, connect

HUB = Hub(
    Settings(registry=difficult.registry, autodiscover=False, problem_type_base_url="https://example.com/problems")
)
DOCUMENT = HUB.asyncapi()
MESSAGES = DOCUMENT["components"]["messages"]
REFERENCES: Any = References().with_resource("urn:document", Resource(contents=DOCUMENT, specification=DRAFT7))


def errors_in(message: dict[str, Any], key: str) -> list[str]:
    """Return what is wrong with a message by the schema of its envelope."""
    Draft7Validator.check_schema(MESSAGES[key]["payload"])
    validator: Any = Draft7Validator({"$ref": f"urn:document#/components/messages/{key}/payload"}, registry=REFERENCES)
    return [error.message for error in validator.iter_errors(message)]


def key_of(member: str, name: str) -> str:
    """Return the identifier of the message whose envelope has this constant."""
    found = [
        key
        for key, message in MESSAGES.items()
        if message["payload"]["properties"].get(member, {}).get("const") == name
    ]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def envelope(action: str, payload: object) -> dict[str, Any]:
    return {"msg_id": str(uuid4()), "req_id": str(uuid4()), "action": action, "payload": payload}


async def answers(client: Client, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a message; return all that comes back, to the end of the request, as it travelled."""
    await client.send_raw(json.dumps(message))
    found: list[dict[str, Any]] = []
    while not found or not (found[-1].get("event") == "ws.complete" or "event" not in found[-1]):
        frame = await client.transport.next_frame()
        assert frame is not None
        found.append(json.loads(frame))
    return found


@pytest.mark.parametrize("action", sorted(difficult.registry.actions))
async def test_what_the_server_takes_and_answers_is_what_the_document_says(action: str) -> None:
    message = envelope(action, difficult.GOOD[action])
    assert errors_in(message, key_of("action", action)) == []
    operation = next(each for each in DOCUMENT["operations"].values() if each.get("x-wsproto-action") == action)
    replies = {each["$ref"].rpartition("/")[2] for each in operation["reply"]["messages"]}
    async with connect(HUB, user_id=1, subprotocols=[V1_JSON]) as client:
        for answer in await answers(client, message):
            key = key_of("event", answer["event"]) if "event" in answer else key_of("code", answer["code"])
            assert errors_in(answer, key) == []
            assert key in replies


@pytest.mark.parametrize(("action", "payload"), difficult.BAD)
async def test_what_the_server_refuses_the_document_refuses(action: str, payload: object) -> None:
    message = envelope(action, payload)
    assert errors_in(message, key_of("action", action))
    async with connect(HUB, user_id=1, subprotocols=[V1_JSON]) as client:
        [answer] = await answers(client, message)
        expected = "forbidden" if action == "rooms.join" else "invalid_payload"
        assert answer["code"] in {expected, "invalid_payload"}
        assert errors_in(answer, key_of("code", answer["code"])) == []


@pytest.mark.parametrize(
    "message", [{}, {"action": "plain"}, {**envelope("plain", {}), "msg_id": "1"}, envelope("plain", 1)]
)
async def test_what_is_no_envelope_is_refused_by_both(message: dict[str, Any]) -> None:
    assert errors_in(message, "action.plain")
    async with connect(HUB, user_id=1, subprotocols=[V1_JSON]) as client:
        [answer] = await answers(client, message)
        assert errors_in(answer, "problem.invalid_websocket_message") == []


async def test_what_the_protocol_says_itself_is_described() -> None:
    async with connect(HUB, user_id=1, subprotocols=[V1_JSON]) as client:
        for action, payload in [
            ("health", {}),
            ("ws.subscribe", {"topic": "discussion/3/live"}),
            ("ws.unsubscribe", {"topic": "discussion/3/live"}),
            ("ws.cancel", {"req_id": str(uuid4())}),
        ]:
            message = envelope(action, payload)
            assert errors_in(message, key_of("action", action)) == []
            found = await answers(client, message)
            assert [errors_in(each, key_of("event", each["event"])) for each in found] == [[]] * len(found)
            assert "event" in found[0]


def test_examples_are_examples_of_what_they_are_for() -> None:
    examples = [(key, each["payload"]) for key, message in MESSAGES.items() for each in message.get("examples", ())]
    assert {key: errors for key, example in examples if (errors := errors_in(example, key))} == {}
    without = {key for key, message in MESSAGES.items() if "examples" not in message}
    # A pattern cannot be met without guessing, unless its author has given an example.
    assert without == set()
