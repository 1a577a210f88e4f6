"""What travels on the socket, as models: the action envelope and the event envelope (protocol sections 2 and 3)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

__all__ = ["ActionEnvelope", "EventEnvelope", "MessageId"]

UUID_PATTERN = r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def _uuid_to_text(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


MessageId = Annotated[
    str,
    StringConstraints(pattern=UUID_PATTERN, to_lower=True),
    BeforeValidator(_uuid_to_text),
]
"""A UUID in its 36-character text form, lower case. A `uuid.UUID` is taken too and becomes text."""

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ActionEnvelope(BaseModel):
    """A message from the client (protocol section 2). A handler that asks for one gets it."""

    model_config = ConfigDict(frozen=True)
    __wsproto_inject__: ClassVar[str] = "envelope"

    msg_id: MessageId
    req_id: MessageId | None = None
    action: _Name
    payload: dict[str, Any] = Field(default_factory=dict)


class EventEnvelope(BaseModel):
    """A message to the client (protocol section 3), without what only the delivery can know.

    ``msg_id`` and ``seq`` are given when it is queued for a connection; ``req_id`` is there for the connection
    that asked and for nobody else, whatever was set here.
    """

    model_config = ConfigDict(frozen=True)

    msg_id: MessageId | None = None
    req_id: MessageId | None = None
    seq: int | None = Field(default=None, ge=1)
    event: _Name
    recipient: _Name
    recipient_id: str = Field(min_length=1)  # as it is: white space may be all the name that a room has
    payload: dict[str, Any] = Field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this envelope; members whose value is null are left out."""
        dumped = self.model_dump(mode="json")
        return {name: value for name, value in dumped.items() if value is not None}
