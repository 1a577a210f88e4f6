"""What a proxy said about the handshake, as far as Django's own settings believe it.

Not every server looks at what a proxy says of the scheme: daphne does not, for sockets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from wsproto_core.transport import ConnectionInfo, Headers

__all__ = ["behind_proxy"]

_META: Final = "HTTP_"  # what Django's names of headers begin with


def behind_proxy(info: ConnectionInfo) -> ConnectionInfo:
    """Return what a connection told, with the scheme and the host that Django would say an HTTP request has.

    These are its settings ``SECURE_PROXY_SSL_HEADER`` and ``USE_X_FORWARDED_HOST``.

    Raises:
        ImproperlyConfigured: a ``SECURE_PROXY_SSL_HEADER`` that is no pair, as Django raises it.
    """
    scheme, headers = _scheme(info), info.headers
    forwarded = headers.get_all("x-forwarded-host") if settings.USE_X_FORWARDED_HOST else ()
    if forwarded:
        others = ((name, value) for name in headers if name != "host" for value in headers.get_all(name))
        headers = Headers([("host", ",".join(forwarded)), *others])
    elif scheme == info.scheme:
        return info
    return replace(info, scheme=scheme, headers=headers)


def _scheme(info: ConnectionInfo) -> str:
    if not settings.SECURE_PROXY_SSL_HEADER:
        return info.scheme
    try:
        header, secure = settings.SECURE_PROXY_SSL_HEADER
    except ValueError:
        raise ImproperlyConfigured("SECURE_PROXY_SSL_HEADER must be a tuple of a header and a value.") from None
    name = header.removeprefix(_META).replace("_", "-")
    values = info.headers.get_all(name) if header.startswith(_META) else ()
    if not values:
        return info.scheme
    # Of several proxies, the first one is the one that the client came to.
    return "wss" if values[0].partition(",")[0].strip() == secure else "ws"
