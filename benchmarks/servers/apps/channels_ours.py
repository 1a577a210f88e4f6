"""This library on Channels, with the default settings: events to others go through the channel layer."""

from benchmarks.applications.ours import registry
from benchmarks.servers.django import logged_in, set_up

set_up("wsproto_channels", WSPROTO={"REGISTRY": registry, "AUTODISCOVER": False})

from wsproto_channels import WebSocketConsumer  # noqa: E402 - after the set-up

app = logged_in(WebSocketConsumer.as_asgi())
