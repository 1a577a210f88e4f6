"""Names of the websockets library as they were once, each refused with the form of today."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import fields
from typing import Final

from websockets.asyncio import server as library
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from wsproto_core.errors import ConfigurationError
from wsproto_core.limits import Limits

__all__ = ["basic_auth", "check_names"]

_BASIC_AUTH: Final = "process_request=basic_auth(credentials=(user, password))"

_OLDER: Final = {
    "handler": "nothing: what is to be done is declared with @action",
    "ws_handler": "nothing: what is to be done is declared with @action",
    "extra_headers": "process_response=…, a function (connection, request, response) that sets response.headers[…]",
    "read_limit": "max_queue=…, the number of frames after which the socket is not read",
    "timeout": "close_timeout=…",
    "loop": "nothing: the server runs on the loop that it is awaited on",
    "klass": "create_connection=…",
    "create_protocol": "create_connection=…",
    "user": _BASIC_AUTH,
    "password": _BASIC_AUTH,
    "credentials": _BASIC_AUTH,
    "realm": "process_request=basic_auth(realm=…, …)",
}

_LIMITS: Final = frozenset(field.name for field in fields(Limits))


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse the names of options that are none.

    Raises:
        ConfigurationError: with the name of today, or the one that was probably meant.
    """
    for name in names:
        if name in known:
            continue
        if name in _OLDER:
            raise ConfigurationError(f"serve() has no option {name!r}; today it is {_OLDER[name]}.")
        if name in _LIMITS:
            raise ConfigurationError(f"serve() has no option {name!r}; it is one of limits=Limits({name}=…).")
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(sorted(known))}."
        raise ConfigurationError(f"serve() has no option {name!r}.{hint}")


def basic_auth(
    realm: str = "",
    credentials: tuple[str, str] | Iterable[tuple[str, str]] | None = None,
    check_credentials: Callable[[str, str], Awaitable[bool] | bool] | None = None,
) -> Callable[[ServerConnection, Request], Awaitable[Response | None]]:
    """Return a ``process_request`` that asks for HTTP Basic Authentication; its user name becomes the user id.

    The same as the websockets library's, whose older form ``basic_auth(user, password)`` is refused with a hint.

    Args:
        realm: what the credentials are for, ASCII.
        credentials: a pair of user name and password, or several.
        check_credentials: a function of user name and password, in place of them.

    Raises:
        ConfigurationError: called in the older form.
    """
    if isinstance(credentials, str) or callable(realm):
        raise ConfigurationError(f"basic_auth is no decorator and takes no bare names: serve({_BASIC_AUTH}).")
    return library.basic_auth(realm, credentials, check_credentials)
