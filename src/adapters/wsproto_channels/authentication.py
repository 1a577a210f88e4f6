"""A user from the access token that a client sends along with the subprotocols of the handshake."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import LazyObject

from wsproto_asgi.handshake import Receive, Scope, Send, refuse
from wsproto_channels.configuration import configured
from wsproto_channels.threads import in_thread
from wsproto_core.admission import Denial, close_code_of
from wsproto_core.codec import split_token
from wsproto_core.problems import Problem

__all__ = ["AccessTokenAuthMiddleware", "TokenUserResolver"]

log = logging.getLogger("wsproto_core.security")

TokenUserResolver = Callable[[str], object | Awaitable[object]]
"""Turns a token into a user, or into None when it is no good; may raise a `Problem` to refuse the connection."""

if TYPE_CHECKING:
    _LazyUser = LazyObject[Any]  # generic for type checkers only
else:
    _LazyUser = LazyObject

_Application = Callable[..., Awaitable[None]]


class AccessTokenAuthMiddleware:
    """Puts the user of an access token into ``scope["user"]``.

    The token is the subprotocol that follows the marker ``access-token``. The handshake is answered with the marker,
    or with what the client offered beside it, never with the token. Without a token the user stays who it was: inside
    of ``AuthMiddlewareStack`` the one of the session, else nobody. A token that is no good makes it nobody.

    Args:
        app: the application behind it.
        user_resolver: a plain function runs in a thread, with its database connections cleaned up; an async one is
            awaited.
    """

    def __init__(self, app: _Application, user_resolver: TokenUserResolver) -> None:
        if not callable(cast("object", user_resolver)):
            kind = type(user_resolver).__name__
            raise ImproperlyConfigured(
                f"AccessTokenAuthMiddleware takes a function from a token to a user, not {kind}."
            )
        self.app = app
        self.user_resolver = user_resolver
        self._is_async = inspect.iscoroutinefunction(user_resolver) or inspect.iscoroutinefunction(
            type(user_resolver).__call__
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who connects, then go on to the application."""
        _, token = split_token(scope.get("subprotocols") or ())
        scope = dict(scope)
        if not token:
            scope.setdefault("user", _Nobody())
        else:
            try:
                user = await self._resolve(token)
                scope["user"] = user if user is not None else _Nobody()
            except Problem as refusal:
                await receive()
                base_url = configured().hub.settings.problem_type_base_url
                await refuse(scope, send, Denial(refusal, close_code_of(refusal)), base_url)
                return
        await self.app(scope, receive, send)

    async def _resolve(self, token: str) -> object:
        resolver: Any = self.user_resolver
        if not self._is_async:
            resolver = in_thread(resolver, thread_sensitive=configured().thread_sensitive)
        try:
            return await resolver(token)
        except Problem:
            raise
        except Exception as error:
            # Its message, and what it was caused by, may hold the token.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("the user of an access token could not be resolved: %s\n%s", type(error).__name__, where)
            raise Problem("Something went wrong on the server.", code="internal_error") from None


class _Nobody(_LazyUser):
    """An anonymous user. Channels' AuthMiddleware, if it comes after, puts the session's user in."""

    def _setup(self) -> None:
        self._wrapped = _anonymous()


class _Anonymous:
    """What stands for nobody where Django's own users are not installed."""

    is_authenticated: Final = False
    is_anonymous: Final = True
    pk: Final = None


def _anonymous() -> object:
    if not apps.is_installed("django.contrib.auth"):
        return _Anonymous()
    from django.contrib.auth.models import AnonymousUser  # models cannot be imported before Django is set up

    return AnonymousUser()
