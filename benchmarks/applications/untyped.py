"""By hand, with the standard library's json: nothing is validated."""

import json
from uuid import uuid4

from benchmarks.wire import USER_ID, dumps


class Connection:
    """One client: its id and the number of its last event."""

    def __init__(self) -> None:
        self.id = str(uuid4())
        self.seq = 0

    def answer(self, frame: str) -> str:
        message = json.loads(frame)
        if message["action"] != "chat.say":
            raise LookupError(message["action"])
        self.seq += 1
        return dumps(
            {
                "msg_id": str(uuid4()),
                "req_id": message["req_id"],
                "seq": self.seq,
                "event": "chat.said",
                "recipient": "websocket",
                "recipient_id": self.id,
                "payload": {"user_id": USER_ID, "text": message["payload"]["text"]},
            }
        )
