"""What travels: one question and its one answer, in the form that a contestant's protocol has for them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

USER_ID = 7
ROOM = "lobby"
TEXT = "Good morning, everybody"
ASKED = {"room": ROOM, "text": TEXT}
SAID = {"user_id": USER_ID, "text": TEXT}


@dataclass(frozen=True)
class Wire:
    """`ask` makes a new question (its ids are its own); `check` raises AssertionError for a wrong answer to it.

    The third argument of `check` is the number of the question on its connection, from 1 on.
    """

    ask: Callable[[], str]
    check: Callable[[str, str, int], None]


def dumps(value: Any) -> str:
    """JSON as browsers write it, without spaces."""
    return json.dumps(value, separators=(",", ":"))


def _ask_envelope() -> str:
    return dumps({"msg_id": str(uuid4()), "req_id": str(uuid4()), "action": "chat.say", "payload": ASKED})


def _check_envelope(question: str, answer: str, number: int) -> None:
    asked, event = json.loads(question), json.loads(answer)
    UUID(event.pop("msg_id"))
    assert event.pop("recipient_id"), answer
    assert event.pop("req_id") == asked["req_id"], answer
    assert event == {"seq": number, "event": "chat.said", "recipient": "websocket", "payload": SAID}, answer


def _check_fastws(question: str, answer: str, number: int) -> None:
    assert json.loads(answer) == {"type": "chat.said", "payload": SAID}, answer


def _check_echo(question: str, answer: str, number: int) -> None:
    assert answer == question, answer


ENVELOPE = Wire(_ask_envelope, _check_envelope)
FASTWS = Wire(lambda: dumps({"type": "chat.say", "payload": ASKED}), _check_fastws)
ECHO = Wire(_ask_envelope, _check_echo)
WIRES = {"envelope": ENVELOPE, "fastws": FASTWS, "echo": ECHO}
