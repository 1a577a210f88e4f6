"""What the server runs."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.todo.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

# ruff: noqa: E402 - what follows needs Django to be set up, which that call has done
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from wsproto_channels import lifespan
from wsproto_channels.routing import websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": ASGIStaticFilesHandler(http),
        "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns)),
        "lifespan": lifespan,
    }
)
