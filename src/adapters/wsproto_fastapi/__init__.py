"""wsproto-core under FastAPI and Starlette: `configure_websocket` once, `handle_websocket` in a route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from wsproto_fastapi.configuration import configure_websocket, hub_of
    from wsproto_fastapi.endpoint import handle_websocket
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"starlette", "fastapi"}:
        raise
    what = "wsproto_fastapi needs FastAPI or Starlette, which is not installed: pip install 'wsproto-core[fastapi]'."
    raise ModuleNotFoundError(what, name=error.name) from error

if TYPE_CHECKING:
    from wsproto_fastapi.oauth2 import WebSocketOAuth2PasswordBearer

__all__ = ["WebSocketOAuth2PasswordBearer", "configure_websocket", "handle_websocket", "hub_of"]


def __getattr__(name: str) -> Any:
    # All else works with Starlette alone; this needs FastAPI.
    if name != "WebSocketOAuth2PasswordBearer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from wsproto_fastapi import oauth2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "fastapi":
            raise
        what = f"{name} needs FastAPI, which is not installed: pip install 'wsproto-core[fastapi]'."
        raise ModuleNotFoundError(what, name=error.name) from error
    return oauth2.WebSocketOAuth2PasswordBearer
