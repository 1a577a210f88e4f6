"""Problems: what a client is told when something is wrong (RFC 9457, protocol section 4)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from wsproto_core.envelopes import MessageId
from wsproto_core.errors import ConfigurationError

__all__ = [
    "HTTP_PHRASES",
    "MAX_DETAIL",
    "PROBLEM_TYPES",
    "RESERVED_MEMBERS",
    "Problem",
    "ProblemDetails",
    "ProblemType",
    "check_problem_type_base_url",
    "problem_type_of",
    "problem_type_uri",
    "shorten",
]

MAX_DETAIL: Final = 512
"""Characters of a problem's ``detail`` at most (promise 6)."""

RESERVED_MEMBERS: Final = frozenset(
    {"event", "seq", "payload", "msg_id", "req_id", "type", "title", "status", "detail", "instance", "code"}
)
"""What an extension member cannot be called."""

# RFC 9110 section 15 and the IANA registry. A table of our own: http.HTTPStatus changed between Python versions.
HTTP_PHRASES: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    499: "Client Closed Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem: what its page under the problem type URL is about.

    Attributes:
        code: stable, for programs.
        status: the HTTP status that says the same, 400 to 599.
        slug: the last part of the problem type URL.
        title: the same for every occurrence (RFC 9457 section 3.1.3).
        retryable: whether the same request may succeed later.
        description: more about it, for the documentation: what it means, what to do.
    """

    code: str
    status: int
    slug: str
    title: str
    retryable: bool = False
    description: str | None = None


PROBLEM_TYPES: Final[Mapping[str, ProblemType]] = {
    kind.code: kind
    for kind in (
        ProblemType("invalid_websocket_message", 400, "invalid-message", "Invalid WebSocket message"),
        ProblemType("unknown_websocket_action", 400, "unknown-action", "Unknown WebSocket action"),
        ProblemType("invalid_payload", 422, "invalid-payload", "Invalid payload"),
        ProblemType("unauthenticated", 401, "unauthenticated", "Not authenticated"),
        ProblemType("forbidden", 403, "forbidden", "Not allowed"),
        ProblemType("conflict", 409, "conflict", "Conflict with another message"),
        ProblemType("message_too_large", 413, "message-too-large", "Message too large"),
        ProblemType("rate_limited", 429, "rate-limited", "Too many messages", retryable=True),
        ProblemType("cancelled", 499, "cancelled", "Cancelled by the client"),
        ProblemType("internal_error", 500, "internal-error", "Internal error"),
        ProblemType("unavailable", 503, "unavailable", "Temporarily unavailable", retryable=True),
        ProblemType("action_timeout", 504, "action-timeout", "The action took too long", retryable=True),
    )
}
"""The protocol's own problems by their code (protocol section 4)."""


class ProblemDetails(BaseModel):
    """A problem as it travels (RFC 9457 section 3.1, protocol section 4). Further members are extensions."""

    model_config = ConfigDict(frozen=True, extra="allow")

    media_type: ClassVar[str] = "application/problem+json"

    msg_id: MessageId | None = None
    req_id: MessageId | None = None
    type: str = Field(default="about:blank", min_length=1)
    title: str = Field(min_length=1)
    status: int = Field(ge=400, le=599)
    detail: str | None = Field(default=None, max_length=MAX_DETAIL)
    instance: str | None = None
    code: str = Field(min_length=1)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this problem; members whose value is null are left out."""
        dumped = self.model_dump(mode="json")
        return {name: value for name, value in dumped.items() if value is not None}


class Problem(Exception):
    """Raise it in a handler, a hook or a middleware: the client gets it as its answer.

    ::

        raise Problem(status=409, code="room_full", title="Room is full", detail="…", free_at="18:00")

    A subclass may give ``status``, ``code``, ``title``, ``detail``, ``slug`` and ``retryable`` as class attributes.

    Args:
        detail: what is wrong this time, for people; at most 512 characters travel.
        status: 400 to 599.
        code: stable, for programs; by default made of the status's phrase, or of the slug.
        title: what is wrong each time, for people; by default the status's phrase.
        slug: the last part of the problem type URL; by default made of the code.
        retryable: whether the same request may succeed later.
        extensions: further members of the problem (RFC 9457 section 3.2); JSON values.

    Raises:
        ValueError: the status is no error status, or an extension member has a name that is reserved.
    """

    status: int = 0
    code: str = ""
    title: str = ""
    detail: str | None = None
    slug: str = ""
    retryable: bool | None = None
    msg_id: str | None = None
    """Names the message that tells the problem, when it was named before (for the log)."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int | None = None,
        code: str | None = None,
        title: str | None = None,
        slug: str | None = None,
        retryable: bool | None = None,
        **extensions: Any,
    ) -> None:
        code = code or self.code
        known = PROBLEM_TYPES.get(code)
        if status is None:
            status = self.status or (known.status if known is not None else 500)
        if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"The status of a problem is an HTTP error status, 400 to 599, not {status!r}.")
        reserved = RESERVED_MEMBERS.intersection(extensions)
        if reserved:
            raise ValueError(f"A problem's extension member cannot be called {', '.join(sorted(reserved))}.")
        slug = slug or self.slug
        phrase = HTTP_PHRASES.get(status, "Error")
        self.status = status
        self.code = code or slug.replace("-", "_") or _code_of(status, phrase)
        known = PROBLEM_TYPES.get(self.code)
        default_slug = known.slug if known is not None else re.sub(r"[^a-z0-9]+", "-", self.code.lower()).strip("-")
        self.slug = slug or default_slug
        # Texts that are translated when they are read become text now.
        self.title = str(title or self.title or (known.title if known is not None else phrase))
        detail = detail if detail is not None else self.detail
        self.detail = str(detail) if detail is not None else None
        if retryable is not None:
            self.retryable = retryable
        elif self.retryable is None:
            self.retryable = known.retryable if known is not None else False
        self.extensions = extensions
        super().__init__(self.detail or self.title)

    def to_dict(
        self,
        *,
        msg_id: str | None = None,
        req_id: str | None = None,
        base_url: str | None = None,
        instance: str | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object of this problem (protocol section 4).

        Args:
            msg_id: names this message.
            req_id: the request that it answers; left out when None.
            base_url: what the problem type URLs begin with; None makes the type ``about:blank``.
            instance: the path of the connection; left out when None.
        """
        type_uri = problem_type_uri(base_url, self.slug)
        document: dict[str, Any] = {}
        if msg_id is not None:
            document["msg_id"] = msg_id
        if req_id is not None:
            document["req_id"] = req_id
        document["type"] = type_uri
        # RFC 9457 section 4.2.1: with about:blank the title is the phrase of the status.
        document["title"] = HTTP_PHRASES.get(self.status, "Error") if type_uri == "about:blank" else self.title
        document["status"] = self.status
        if self.detail:
            document["detail"] = shorten(self.detail, MAX_DETAIL)
        if instance is not None:
            document["instance"] = instance
        document["code"] = self.code
        document["retryable"] = self.retryable
        document.update((name, value) for name, value in self.extensions.items() if value is not None)
        return document


def problem_type_of(problem: Problem | type[Problem]) -> ProblemType | None:
    """Return the kind of a problem, or of a class of problems; None for the protocol's own, and for what is none.

    Args:
        problem: an example, or a subclass of `Problem`, whose docstring is then the description.
    """
    described = None
    if isinstance(problem, type):
        described = inspect.cleandoc(problem.__dict__.get("__doc__") or "") or None
        try:
            problem = Problem(
                status=problem.status or None,
                code=problem.code,
                title=str(problem.title or "") or None,
                slug=problem.slug,
                retryable=problem.retryable,
            )
        except (TypeError, ValueError):
            return None
    if problem.code in PROBLEM_TYPES:
        return None
    return ProblemType(problem.code, problem.status, problem.slug, problem.title, bool(problem.retryable), described)


def _code_of(status: int, phrase: str) -> str:
    """Return the code of a problem that names none: the protocol's own for that status where there is one."""
    known = {401: "unauthenticated", 429: "rate_limited", 500: "internal_error", 503: "unavailable"}
    return known.get(status) or phrase.lower().replace(" ", "_").replace("-", "_")


def problem_type_uri(base_url: str | None, slug: str) -> str:
    """Return the URI of a problem type: ``BASE/slug``, or ``about:blank`` without a base URL."""
    if base_url is None or not base_url.strip():
        return "about:blank"
    return f"{base_url.strip().rstrip('/')}/{slug.lstrip('/')}"


def check_problem_type_base_url(value: object) -> str | None:
    """Return the base URL of the problem types as it is used.

    Raises:
        ConfigurationError: no text, or neither an absolute URL nor an absolute path.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"problem_type_base_url must be a string or None, not {type(value).__name__}.")
    text = value.strip().rstrip("/") or value.strip()[:1]
    if not text:
        return None
    if not text.isascii() or any(character.isspace() for character in text):
        raise ConfigurationError("problem_type_base_url must be a URI: ASCII, without white space.")
    if not text.startswith(("https://", "http://", "/", "urn:", "tag:")):
        raise ConfigurationError(
            f"problem_type_base_url must begin with https:// or http://, not {shorten(text, 40)!r}."
        )
    return text


def shorten(text: str, limit: int) -> str:
    """Return at most this many characters of a text, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
