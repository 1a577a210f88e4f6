from uuid import UUID

import pytest
from pydantic import ValidationError

from wsproto_core import ActionEnvelope, EventEnvelope

ID = "123e4567-e89b-12d3-a456-426614174000"


def test_an_action_envelope_keeps_ids_in_lower_case_and_the_action_stripped() -> None:
    envelope = ActionEnvelope.model_validate(
        {"msg_id": ID.upper(), "req_id": UUID(ID), "action": " chat.say\n", "payload": {"a": 1}, "more": 1}
    )
    assert envelope.model_dump() == {"msg_id": ID, "req_id": ID, "action": "chat.say", "payload": {"a": 1}}


def test_an_action_envelope_may_lack_request_id_and_payload() -> None:
    envelope = ActionEnvelope(msg_id=ID, action="health")
    assert (envelope.req_id, envelope.payload) == (None, {})


@pytest.mark.parametrize(
    "member",
    [
        {"msg_id": f"urn:uuid:{ID}"},
        {"msg_id": ID.replace("-", "")},
        {"msg_id": f"{{{ID}}}"},
        {"msg_id": f"{ID}\n"},
        {"msg_id": None},
        {"req_id": ""},
        {"action": " \t"},
        {"action": 5},
        {"payload": []},
        {"payload": None},
    ],
)
def test_a_member_that_the_protocol_refuses_is_refused(member: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ActionEnvelope.model_validate({"msg_id": ID, "action": "health", **member})


def test_an_event_envelope_leaves_out_what_is_null_but_not_within_the_payload() -> None:
    envelope = EventEnvelope(event="chat.said", recipient="room", recipient_id="lobby", payload={"text": None})
    assert envelope.to_dict() == {
        "event": "chat.said",
        "recipient": "room",
        "recipient_id": "lobby",
        "payload": {"text": None},
    }


def test_an_event_envelope_carries_what_delivery_knows() -> None:
    members = {
        "msg_id": ID,
        "req_id": ID,
        "seq": 1,
        "event": "x",
        "recipient": "room",
        "recipient_id": "r",
        "payload": {},
    }
    assert EventEnvelope.model_validate(members).to_dict() == members


@pytest.mark.parametrize("name", [" ", " lobby ", "\n"])
def test_the_name_of_a_recipient_is_kept_as_it_is(name: str) -> None:
    assert EventEnvelope(event="x", recipient="room", recipient_id=name).recipient_id == name


@pytest.mark.parametrize(
    "member", [{"seq": 0}, {"event": ""}, {"recipient": " "}, {"recipient_id": ""}, {"payload": []}]
)
def test_an_event_envelope_refuses_what_the_protocol_refuses(member: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EventEnvelope.model_validate({"event": "x", "recipient": "room", "recipient_id": "lobby", **member})


@pytest.mark.parametrize(
    "envelope", [ActionEnvelope(msg_id=ID, action="x"), EventEnvelope(event="x", recipient="room", recipient_id="r")]
)
def test_an_envelope_does_not_change(envelope: ActionEnvelope | EventEnvelope) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        envelope.payload = {}
