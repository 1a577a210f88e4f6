"""With beeflow-websocket: the action validates its payload itself, as its documentation shows."""

from collections.abc import AsyncIterator
from uuid import UUID

from beeflow_websocket.core.action_registry import ActionContext, ActionRegistryMeta
from beeflow_websocket.core.event_registry import EventRegistryMeta
from beeflow_websocket.core.payloads import WebSocketActionPayload, WebSocketEventPayload
from beeflow_websocket.core.recipients import websocket  # noqa: F401  (importing registers the recipient)

from benchmarks.applications.typed import Said, Say


class SaidEvent(metaclass=EventRegistryMeta, name="chat.said"):
    def __init__(self, req_id: UUID, recipient_id: str, said: Said) -> None:
        self.req_id = req_id
        self.recipient_id = recipient_id
        self.said = said

    async def emit(self) -> WebSocketEventPayload:
        return WebSocketEventPayload(
            req_id=self.req_id,
            event="chat.said",
            recipient="websocket",
            recipient_id=self.recipient_id,
            payload=self.said.model_dump(),
        )


class SayAction(metaclass=ActionRegistryMeta, name="chat.say"):
    async def execute(self, message: WebSocketActionPayload, context: ActionContext) -> AsyncIterator[SaidEvent]:
        payload = Say.model_validate(message.payload)
        yield SaidEvent(message.req_id, context.websocket_id, Said(user_id=context.user_id, text=payload.text))
