"""beeflow-websocket on Channels, as its documentation mounts it."""

from benchmarks.servers.django import logged_in, set_up

set_up("beeflow_websocket.django")

from beeflow_websocket.django.consumer import WebSocketConsumer  # noqa: E402 - after the set-up

import benchmarks.applications.beeflow  # noqa: E402, F401 - importing registers the action

app = logged_in(WebSocketConsumer.as_asgi())
