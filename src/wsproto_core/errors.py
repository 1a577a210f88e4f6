"""What goes wrong on the developer's side. What goes wrong on the client's side is a problem: see `problems`.

::

    WsprotoError
    ├── ConfigurationError (ValueError)         a setting that makes no sense
    ├── RegistrationError
    │   ├── DuplicateNameError (ValueError)     a name taken twice in one registry
    │   ├── ReservedNameError (ValueError)      a name that the protocol keeps for itself
    │   ├── HandlerSignatureError (TypeError)   a handler with a parameter that nothing can fill
    │   ├── EventDefinitionError (TypeError)    an event class whose fields hide its own methods
    │   └── TopicDefinitionError (TypeError)    a typed topic whose pattern and fields do not belong together
    ├── AudienceError
    │   ├── UnknownRecipientError (LookupError) no resolver for a kind of recipient
    │   ├── BroadcastNotAllowedError            `everyone()` without `allow_broadcast=True`
    │   └── MissingAudienceError (TypeError)    an event for nobody in particular
    ├── InvalidTopicError (ValueError)          a topic name or filter that protocol section 7 refuses
    ├── UnserializableEventError (ValueError)   an event that JSON cannot carry
    └── HostError (RuntimeError)                called where the host cannot do it
"""

from __future__ import annotations

__all__ = [
    "AudienceError",
    "BroadcastNotAllowedError",
    "ConfigurationError",
    "DuplicateNameError",
    "EventDefinitionError",
    "HandlerSignatureError",
    "HostError",
    "InvalidTopicError",
    "MissingAudienceError",
    "RegistrationError",
    "ReservedNameError",
    "TopicDefinitionError",
    "UnknownRecipientError",
    "UnserializableEventError",
    "WsprotoError",
]


class WsprotoError(Exception):
    """Base of every exception that wsproto-core raises at the developer."""


class ConfigurationError(WsprotoError, ValueError):
    """A setting that makes no sense; the message names the setting and the way out."""


class RegistrationError(WsprotoError):
    """Something cannot be registered as it is."""


class DuplicateNameError(RegistrationError, ValueError):
    """A name is taken already in this registry. Pass ``replace=True`` to replace it on purpose."""


class ReservedNameError(RegistrationError, ValueError):
    """The name belongs to the protocol: names that begin with ``ws.``, and the built-in recipients."""


class HandlerSignatureError(RegistrationError, TypeError):
    """A handler has a parameter that nothing can fill."""


class EventDefinitionError(RegistrationError, TypeError):
    """An event class declares a field that would hide one of the methods of `Event`."""


class TopicDefinitionError(RegistrationError, TypeError):
    """A typed topic's pattern and its fields do not belong together."""


class AudienceError(WsprotoError):
    """An event cannot be addressed as asked."""


class UnknownRecipientError(AudienceError, LookupError):
    """No resolver is registered for this kind of recipient."""


class BroadcastNotAllowedError(AudienceError):
    """``everyone()`` was used in an application that did not set ``allow_broadcast=True``."""


class MissingAudienceError(AudienceError, TypeError):
    """An event was emitted outside a handler without saying to whom."""


class InvalidTopicError(WsprotoError, ValueError):
    """A topic name or filter that section 7 of the protocol refuses."""


class UnserializableEventError(WsprotoError, ValueError):
    """An event holds something that cannot travel.

    JSON (RFC 8259) has no NaN, Infinity and lone surrogates; MessagePack has no integers of more than 64 bits.
    """


class HostError(WsprotoError, RuntimeError):
    """Something was called where the framework around it cannot do it."""
