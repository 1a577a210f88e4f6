"""wsproto-core on the `websockets` library's own server: ``async with serve(authenticate=..., port=8765): ...``."""

try:
    from wsproto_websockets.compatibility import basic_auth
    from wsproto_websockets.server import Server
    from wsproto_websockets.serving import serve, unix_serve
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "websockets":
        raise
    what = "wsproto_websockets needs websockets, which is not installed: pip install 'wsproto-core[websockets]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["Server", "basic_auth", "serve", "unix_serve"]
