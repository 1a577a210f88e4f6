"""wsproto-core under Flask with flask-sock: `configure_websocket` once, `handle_websocket` in a route."""

try:
    # The application mounts it; without it there are no routes to serve. It has no type hints.
    import flask_sock as _flask_sock  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] not in {"flask", "flask_sock", "simple_websocket"}:
        raise
    raise ModuleNotFoundError(
        "wsproto_flask needs flask-sock, which is not installed: pip install 'wsproto-core[flask]'.", name=_error.name
    ) from _error

from wsproto_flask.configuration import configure_websocket, exempt, hub_of
from wsproto_flask.endpoint import handle_websocket
from wsproto_flask.signals import post_worker_init

del _flask_sock
__all__ = ["configure_websocket", "exempt", "handle_websocket", "hub_of", "post_worker_init"]
