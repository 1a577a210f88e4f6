"""With FastWS: its messages have a type and a payload, and no ids."""

from fastws import FastWS

from benchmarks.applications.typed import Said, Say
from benchmarks.wire import USER_ID

service = FastWS()


@service.send("chat.say", reply="chat.said")
async def say(payload: Say) -> Said:
    return Said(user_id=USER_ID, text=payload.text)
