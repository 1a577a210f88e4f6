"""wsproto-core on the `websockets` library's own server: ``async with serve(authenticate=..., port=8765): ...``."""

from wsproto_websockets.compatibility import basic_auth
from wsproto_websockets.server import Server
from wsproto_websockets.serving import serve, unix_serve

__all__ = ["Server", "basic_auth", "serve", "unix_serve"]
