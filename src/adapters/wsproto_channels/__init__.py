"""wsproto-core under Django Channels: ``INSTALLED_APPS += ["wsproto_channels"]``, settings in ``WSPROTO``."""

try:
    from wsproto_channels.authentication import AccessTokenAuthMiddleware
    from wsproto_channels.backplane import ChannelLayerBackplane
    from wsproto_channels.configuration import get_hub
    from wsproto_channels.consumer import WebSocketConsumer, scope_of, user_of
    from wsproto_channels.groups import disconnect_message, event_message, group_name
    from wsproto_channels.lifespan import lifespan
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"asgiref", "channels", "django"}:
        raise
    what = "wsproto_channels needs Django and Channels, which are not installed: pip install 'wsproto-core[channels]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = [
    "AccessTokenAuthMiddleware",
    "ChannelLayerBackplane",
    "WebSocketConsumer",
    "disconnect_message",
    "event_message",
    "get_hub",
    "group_name",
    "lifespan",
    "scope_of",
    "user_of",
]
