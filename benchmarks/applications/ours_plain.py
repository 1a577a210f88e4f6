"""With this library, for hosts with threads: the handler is a plain function."""

from benchmarks.applications.ours import Said, Say
from wsproto_core import ActionContext, Registry, action

registry = Registry()


@action("chat.say", registry=registry)
def say(payload: Say, context: ActionContext) -> Said:
    return Said(user_id=context.user_id, text=payload.text)
