"""By hand, with pydantic: the least that validates what comes in and is typed on the way out."""

from uuid import UUID, uuid4

from pydantic import BaseModel

from benchmarks.wire import USER_ID


class Say(BaseModel):
    room: str
    text: str


class Said(BaseModel):
    user_id: int
    text: str


class SayAction(BaseModel):
    msg_id: UUID
    req_id: UUID
    action: str
    payload: Say


class SaidEvent(BaseModel):
    msg_id: UUID
    req_id: UUID
    seq: int
    event: str
    recipient: str
    recipient_id: str
    payload: Said


class Connection:
    """One client: its id and the number of its last event."""

    def __init__(self) -> None:
        self.id = str(uuid4())
        self.seq = 0

    def answer(self, frame: str) -> str:
        """One pass from the text to the envelope, one from the event to the text, one uuid."""
        action = SayAction.model_validate_json(frame)
        self.seq += 1
        return SaidEvent(
            msg_id=uuid4(),
            req_id=action.req_id,
            seq=self.seq,
            event="chat.said",
            recipient="websocket",
            recipient_id=self.id,
            payload=Said(user_id=USER_ID, text=action.payload.text),
        ).model_dump_json()
