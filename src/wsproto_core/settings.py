"""The settings of a hub, checked when they are given: the same names on every host."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypedDict

from wsproto_core.autodiscover import DEFAULT_MODULES, check_names
from wsproto_core.backplane import Backplane, backplane_from
from wsproto_core.documentation import (
    check_contact,
    check_license,
    check_servers,
    check_sockets,
    check_text,
    check_url_path,
)
from wsproto_core.errors import ConfigurationError
from wsproto_core.handlers import positional_count
from wsproto_core.limits import Limits
from wsproto_core.origins import OriginPolicy
from wsproto_core.presence import Presence
from wsproto_core.problems import check_problem_type_base_url
from wsproto_core.recipients import Audience
from wsproto_core.registry import Router, default_registry
from wsproto_core.security import SAME_ORIGIN, AllowedOrigins, Authenticate
from wsproto_core.tickets import Tickets
from wsproto_core.transport import ConnectionInfo

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["HubOptions", "Settings", "check_option_names"]

# The functions among the settings, and what each is called with.
_HOOKS: Final = {
    "authenticate": ("info",),
    "authorize_docs": ("info",),
    "authorize_subscribe": ("context", "audience"),
    "on_connect": ("context",),
    "on_disconnect": ("context", "code", "reason"),
}

Hook = Callable[..., Any]
AuthorizeSubscribe = Callable[[Any, Audience], bool | Awaitable[bool]]
AuthorizeDocs = Callable[[ConnectionInfo], bool | Awaitable[bool]]
Servers = Iterable[str] | Mapping[str, str | Mapping[str, Any]]


class HubOptions(TypedDict, total=False):
    """The keyword arguments that every host takes; see `Settings`."""

    registry: Router | None
    problem_type_base_url: str | None
    autodiscover: bool
    autodiscover_modules: Iterable[str]
    autodiscover_packages: Iterable[str]
    backplane: str | Backplane
    presence: Presence | bool | None
    require_ids: bool
    allowed_origins: AllowedOrigins
    require_origin: bool
    authenticate: Authenticate | None
    tickets: Tickets | None
    query_token: str | None
    authorize_subscribe: AuthorizeSubscribe | None
    client_wildcards: bool
    limits: Limits
    allow_broadcast: bool
    on_connect: Hook | None
    on_disconnect: Hook | None
    install_signal_handlers: bool
    asyncapi_url: str | None
    docs_url: str | None
    problem_pages_url: str | None
    authorize_docs: AuthorizeDocs | None
    title: str | None
    version: str | None
    description: str | None
    terms_of_service: str | None
    contact: Mapping[str, str] | None
    license: Mapping[str, str] | str | None
    servers: Servers
    sockets: Iterable[str] | None


_FLAGS: Final = (
    "autodiscover", "require_ids", "require_origin", "client_wildcards", "allow_broadcast", "install_signal_handlers",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a hub behaves.

    Attributes:
        registry: what it dispatches from; None is the default registry.
        problem_type_base_url: what problem type URLs begin with; None makes them ``about:blank``.
        autodiscover: whether the conventional modules are imported at configuration.
        autodiscover_modules: their names below a base package.
        autodiscover_packages: further packages, imported with all their submodules.
        backplane: what tells other processes: a URL (``memory://``, ``redis://…``, ``nats://…``) or an object with the
            `Backplane` protocol.
        presence: whether and how clients may ask who is on a topic: True, False, or a `Presence`. By default they may
            where there is one process, or a backplane whose engine keeps it.
        require_ids: whether ``msg_id`` and ``req_id`` must be there (protocol section 2).
        allowed_origins: which pages may connect: `SAME_ORIGIN`, `ANY_ORIGIN` or a list of origins; see `OriginPolicy`.
        require_origin: whether clients that send no Origin, and so are no browsers, are refused.
        authenticate: finds out who connects, when the route has not said so.
        tickets: takes the one-time tickets that it issued, from ``?ticket=…``. A connection that has one needs nothing
            else; without ``authenticate``, one that has none is refused.
        query_token: the name of a query parameter that may carry a token. By default there is none, and where
            ``authenticate`` is asked a URL with a token in it is refused: access logs, proxies and histories keep URLs.
        authorize_subscribe: ``(context, audience) -> bool``: asked for every join, also those of server code, except
            where a typed topic decides itself. Without it, clients may subscribe to nothing else.
        client_wildcards: whether clients may subscribe with ``+`` and ``#``, as far as ``authorize_subscribe`` allows.
        limits: what a connection and the process may use.
        allow_broadcast: whether ``everyone()`` may be used.
        on_connect: ``(context)``, after the connection is open and before its first message; a `Problem` refuses it.
        on_disconnect: ``(context, code, reason)``, or fewer of those, once when the connection has ended.
        install_signal_handlers: whether SIGTERM and SIGINT begin the drain (see `Hub.drain`).
        asyncapi_url: where the AsyncAPI document is served over HTTP, as JSON; the YAML is beside it. None is nowhere.
        docs_url: where the page that shows it is served; None is nowhere.
        problem_pages_url: below which each problem type has its page; None is nowhere. Without a
            ``problem_type_base_url``, problem type URLs begin with it.
        authorize_docs: ``(info) -> bool``, sync or async: asked before any of these is served; a `Problem` that it
            raises is the answer. None lets everybody read them.
        title, version, description, terms_of_service: of the contract; None takes what the host's application says.
        contact: of the contract: ``name``, ``url``, ``email``.
        license: of the contract: ``name``, ``url``; a text is its name.
        servers: where it is served: URLs, or URLs or AsyncAPI servers by name.
        sockets: the paths of the sockets, for the document; None lets the host find them.

    Raises:
        ConfigurationError: a value that makes no sense; the message names the setting and the way out.
    """

    registry: Router | None = None
    problem_type_base_url: str | None = None
    autodiscover: bool = True
    autodiscover_modules: Iterable[str] = DEFAULT_MODULES
    autodiscover_packages: Iterable[str] = ()
    backplane: str | Backplane = "memory://"
    presence: Presence | bool | None = None
    require_ids: bool = True
    allowed_origins: AllowedOrigins = SAME_ORIGIN
    require_origin: bool = False
    authenticate: Authenticate | None = None
    tickets: Tickets | None = None
    query_token: str | None = None
    authorize_subscribe: AuthorizeSubscribe | None = None
    client_wildcards: bool = False
    limits: Limits = field(default_factory=Limits)
    allow_broadcast: bool = False
    on_connect: Hook | None = None
    on_disconnect: Hook | None = None
    install_signal_handlers: bool = True
    asyncapi_url: str | None = "/asyncapi.json"
    docs_url: str | None = "/asyncapi"
    problem_pages_url: str | None = None
    authorize_docs: AuthorizeDocs | None = None
    title: str | None = None
    version: str | None = None
    description: str | None = None
    terms_of_service: str | None = None
    contact: Mapping[str, str] | None = None
    license: Mapping[str, str] | str | None = None
    servers: Servers = field(default_factory=dict)
    sockets: Iterable[str] | None = None

    def __post_init__(self) -> None:
        if self.registry is None:
            object.__setattr__(self, "registry", default_registry)
        elif not isinstance(self.registry, Router):
            raise ConfigurationError(f"registry must be a Registry, not {type(self.registry).__name__}.")
        object.__setattr__(self, "problem_type_base_url", check_problem_type_base_url(self.problem_type_base_url))
        for name in _FLAGS:
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ConfigurationError(f"{name} must be True or False, not {value!r}.")
        for name in ("autodiscover_modules", "autodiscover_packages"):
            object.__setattr__(self, name, check_names(getattr(self, name), name))
        for name in _HOOKS:
            _check_hook(name, getattr(self, name))
        if not isinstance(self.limits, Limits):
            raise ConfigurationError(f"limits must be a Limits(...), not {type(self.limits).__name__}.")
        if isinstance(self.allowed_origins, Iterable) and not isinstance(self.allowed_origins, str):
            object.__setattr__(self, "allowed_origins", tuple(self.allowed_origins))
        OriginPolicy(self.allowed_origins)
        if self.tickets is not None and not isinstance(self.tickets, Tickets):
            raise ConfigurationError(f"tickets must be a Tickets() or None, not {type(self.tickets).__name__}.")
        if self.query_token is not None and not (isinstance(self.query_token, str) and self.query_token):
            raise ConfigurationError(f"query_token is the name of a query parameter or None, not {self.query_token!r}.")
        self._check_presence(backplane_from(self.backplane))
        self._check_documentation()

    def _check_presence(self, backplane: Backplane | None) -> None:
        if self.presence is not None and not isinstance(self.presence, (bool, Presence)):
            raise ConfigurationError(
                f"presence must be True, False, None or a Presence(...), not {type(self.presence).__name__}."
            )
        given = isinstance(self.presence, Presence) and self.presence.store is not None
        if self.presence and not given and backplane is not None and not hasattr(backplane, "presence_store"):
            raise ConfigurationError(
                "presence: the engine of this backplane keeps nothing; give it a store: Presence(store=…)."
            )

    def _check_documentation(self) -> None:
        for name in ("asyncapi_url", "docs_url", "problem_pages_url"):
            object.__setattr__(self, name, check_url_path(getattr(self, name), name))
        for name in ("title", "version", "description", "terms_of_service"):
            object.__setattr__(self, name, check_text(getattr(self, name), name))
        object.__setattr__(self, "contact", check_contact(self.contact))
        object.__setattr__(self, "license", check_license(self.license))
        object.__setattr__(self, "servers", check_servers(self.servers))
        object.__setattr__(self, "sockets", check_sockets(self.sockets))
        if self.problem_type_base_url is None and self.problem_pages_url is not None:
            object.__setattr__(self, "problem_type_base_url", self.problem_pages_url)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Settings:
        """Make settings of keyword arguments.

        Raises:
            ConfigurationError: an unknown name, with the one that was probably meant; a value that makes no sense.
        """
        of_limits = [each for each in options if each in {limit.name for limit in fields(Limits)}]
        if of_limits:
            raise ConfigurationError(f"{of_limits[0]!r} is one of the limits: limits=Limits({of_limits[0]}=…).")
        check_option_names(options, cls, "There is no setting")
        return cls(**options)


def _check_hook(name: str, value: object) -> None:
    takes = _HOOKS[name]
    if value is None:
        return
    if not callable(value):
        raise ConfigurationError(f"{name} must be a function or None, not {type(value).__name__}.")
    if not _takes(value, len(takes), or_fewer=name == "on_disconnect"):
        raise ConfigurationError(f"{name} is called with ({', '.join(takes)}), which {value!r} does not take.")


def _takes(function: Callable[..., Any], count: int, *, or_fewer: bool) -> bool:
    """Say whether a function can be called with so many arguments; if its signature cannot be read, it can."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return True
    if or_fewer:
        count = min(count, positional_count(function))
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def check_option_names(options: Iterable[str], settings: type[DataclassInstance], what: str) -> None:
    """Refuse the names of options that are none.

    Args:
        options: the names.
        settings: the dataclass whose fields they are.
        what: how the refusal begins.

    Raises:
        ConfigurationError: an unknown name, with the one that was probably meant.
    """
    known = [each.name for each in fields(settings)]
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(known)}."
            raise ConfigurationError(f"{what} {name!r}.{hint}")
