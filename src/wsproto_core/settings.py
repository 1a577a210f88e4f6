"""The settings of a hub, checked when they are given: the same names on every host."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypedDict

from wsproto_core.autodiscover import DEFAULT_MODULES, check_names
from wsproto_core.backplane import Backplane, backplane_from
from wsproto_core.errors import ConfigurationError
from wsproto_core.limits import Limits
from wsproto_core.origins import OriginPolicy
from wsproto_core.problems import check_problem_type_base_url
from wsproto_core.recipients import Audience
from wsproto_core.registry import Router, default_registry
from wsproto_core.security import SAME_ORIGIN, AllowedOrigins, Authenticate
from wsproto_core.tickets import Tickets

__all__ = ["HubOptions", "Settings"]

Hook = Callable[..., Any]
AuthorizeSubscribe = Callable[[Any, Audience], bool | Awaitable[bool]]


class HubOptions(TypedDict, total=False):
    """The keyword arguments that every host takes; see `Settings`."""

    registry: Router | None
    problem_type_base_url: str | None
    autodiscover: bool
    autodiscover_modules: Iterable[str]
    autodiscover_packages: Iterable[str]
    backplane: str | Backplane
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
        backplane: a URL (``memory://``, ``memory://name``) or an object with the `Backplane` protocol.
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

    Raises:
        ConfigurationError: a value that makes no sense; the message names the setting and the way out.
    """

    registry: Router | None = None
    problem_type_base_url: str | None = None
    autodiscover: bool = True
    autodiscover_modules: Iterable[str] = DEFAULT_MODULES
    autodiscover_packages: Iterable[str] = ()
    backplane: str | Backplane = "memory://"
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
        for name in ("authenticate", "authorize_subscribe", "on_connect", "on_disconnect"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise ConfigurationError(f"{name} must be a function or None, not {type(value).__name__}.")
        if not isinstance(self.limits, Limits):
            raise ConfigurationError(f"limits must be a Limits(...), not {type(self.limits).__name__}.")
        if isinstance(self.allowed_origins, Iterable) and not isinstance(self.allowed_origins, str):
            object.__setattr__(self, "allowed_origins", tuple(self.allowed_origins))
        OriginPolicy(self.allowed_origins)
        if self.tickets is not None and not isinstance(self.tickets, Tickets):
            raise ConfigurationError(f"tickets must be a Tickets() or None, not {type(self.tickets).__name__}.")
        if self.query_token is not None and not (isinstance(self.query_token, str) and self.query_token):
            raise ConfigurationError(f"query_token is the name of a query parameter or None, not {self.query_token!r}.")
        backplane_from(self.backplane)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Settings:
        """Make settings of keyword arguments.

        Raises:
            ConfigurationError: an unknown name, with the one that was probably meant; a value that makes no sense.
        """
        known = [each.name for each in fields(cls)]
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(known)}."
                raise ConfigurationError(f"There is no setting {name!r}.{hint}")
        return cls(**options)
