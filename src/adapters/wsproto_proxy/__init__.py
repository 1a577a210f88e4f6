"""A gateway to a WebSocket service behind it: ``app.mount("/chat", WebSocketProxy("ws://chat.internal:8000"))``."""

try:
    from wsproto_proxy.proxy import WebSocketProxy
    from wsproto_proxy.settings import ProxyOptions, ProxySettings
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "websockets":
        raise
    what = "wsproto_proxy needs websockets, which is not installed: pip install 'wsproto-core[proxy]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = ["ProxyOptions", "ProxySettings", "WebSocketProxy"]
