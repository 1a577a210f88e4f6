"""wsproto-core under FastAPI and Starlette: `configure_websocket` once, `handle_websocket` in a route."""

try:
    from wsproto_fastapi.configuration import configure_websocket, hub_of
    from wsproto_fastapi.endpoint import handle_websocket
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"starlette", "fastapi"}:
        raise
    what = "wsproto_fastapi needs FastAPI or Starlette, which is not installed: pip install 'wsproto-core[fastapi]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["configure_websocket", "handle_websocket", "hub_of"]
