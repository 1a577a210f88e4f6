"""One typed WebSocket protocol with many front doors: action envelopes in, events out, RFC 9457 problems.

Write handlers once, with pydantic payloads; mount them under FastAPI or any ASGI server with one line. The core needs
pydantic and nothing else; each framework is an adapter in a package of its own.
"""

from wsproto_core._version import __version__
from wsproto_core.admission import Admission, Denial
from wsproto_core.backplane import Backplane, MemoryBackplane
from wsproto_core.classes import Action, Recipient
from wsproto_core.closing import CloseCode
from wsproto_core.context import ActionContext
from wsproto_core.dispatcher import Call
from wsproto_core.envelopes import ActionEnvelope, EventEnvelope
from wsproto_core.errors import (
    AudienceError,
    BroadcastNotAllowedError,
    ConfigurationError,
    DuplicateNameError,
    EventDefinitionError,
    HandlerSignatureError,
    HostError,
    InvalidTopicError,
    MissingAudienceError,
    RegistrationError,
    ReservedNameError,
    TopicDefinitionError,
    UnknownRecipientError,
    UnserializableEventError,
    WsprotoError,
)
from wsproto_core.events import Event
from wsproto_core.hub import Hub, Stats
from wsproto_core.limits import Limits
from wsproto_core.middleware import Middleware, Next
from wsproto_core.presence import Member, Presence, PresenceStore
from wsproto_core.problems import Problem, ProblemDetails, ProblemType
from wsproto_core.recipients import Audience, TopicFilter, connection, everyone, room, topic, user
from wsproto_core.registry import (
    Registry,
    Router,
    action,
    default_registry,
    event_handler,
    exception_handler,
    middleware,
    recipient,
)
from wsproto_core.security import ANY_ORIGIN, AUTHENTICATE_LATER, NOT_GIVEN, SAME_ORIGIN, Identity
from wsproto_core.session import Session
from wsproto_core.settings import HubOptions, Settings
from wsproto_core.tickets import Tickets, TicketStore
from wsproto_core.transport import ConnectionInfo, Headers, Transport
from wsproto_core.typed_topics import Topic

__all__ = [
    "ANY_ORIGIN",
    "AUTHENTICATE_LATER",
    "NOT_GIVEN",
    "SAME_ORIGIN",
    "Action",
    "ActionContext",
    "ActionEnvelope",
    "Admission",
    "Audience",
    "AudienceError",
    "Backplane",
    "BroadcastNotAllowedError",
    "Call",
    "CloseCode",
    "ConfigurationError",
    "ConnectionInfo",
    "Denial",
    "DuplicateNameError",
    "Event",
    "EventDefinitionError",
    "EventEnvelope",
    "HandlerSignatureError",
    "Headers",
    "HostError",
    "Hub",
    "HubOptions",
    "Identity",
    "InvalidTopicError",
    "Limits",
    "Member",
    "MemoryBackplane",
    "Middleware",
    "MissingAudienceError",
    "Next",
    "Presence",
    "PresenceStore",
    "Problem",
    "ProblemDetails",
    "ProblemType",
    "Recipient",
    "RegistrationError",
    "Registry",
    "ReservedNameError",
    "Router",
    "Session",
    "Settings",
    "Stats",
    "TicketStore",
    "Tickets",
    "Topic",
    "TopicDefinitionError",
    "TopicFilter",
    "Transport",
    "UnknownRecipientError",
    "UnserializableEventError",
    "WsprotoError",
    "__version__",
    "action",
    "connection",
    "default_registry",
    "event_handler",
    "everyone",
    "exception_handler",
    "middleware",
    "recipient",
    "room",
    "topic",
    "user",
]
