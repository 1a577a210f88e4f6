"""The second floor: the envelope is text around the encoded payload, and ids are cut from a block of random bytes."""

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

from benchmarks.applications.typed import Said, SayAction
from benchmarks.wire import ENVELOPE, USER_ID

WIRE = ENVELOPE


async def connect(write: Callable[[str], None]) -> Callable[[str], None]:
    head = ',"event":"chat.said","recipient":"websocket","recipient_id":"' + str(uuid4()) + '","payload":'
    new_id = _ids().__next__
    seq = 0

    def receive(frame: str) -> None:
        nonlocal seq
        action = SayAction.model_validate_json(frame)
        seq += 1
        payload = Said(user_id=USER_ID, text=action.payload.text).model_dump_json()
        write(f'{{"msg_id":"{new_id()}","req_id":"{action.req_id}","seq":{seq}{head}{payload}}}')

    return receive


def _ids() -> Iterator[str]:
    """UUIDs of version 4 (RFC 9562 section 5.4) from one system call for 256 of them."""
    while True:
        block = os.urandom(16 * 256).hex()
        for start in range(0, len(block), 32):
            digits = block[start : start + 32]
            variant = "89ab"[int(digits[16], 16) & 3]
            yield f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
