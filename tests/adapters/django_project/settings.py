"""The settings of the project; `settings_…` beside it differ in what they say."""

import os
import tempfile
from typing import Any

from tests.adapters.applications.actions import tickets
from tests.adapters.applications.common import hook, limits, together

SECRET_KEY = "of a test"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.adapters.django_project.urls"
ASGI_APPLICATION = "tests.adapters.django_project.asgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "wsproto_channels",
    "tests.adapters.django_project.site",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("TEST_DATABASE")
        or os.path.join(tempfile.gettempdir(), f"wsproto-{os.getpid()}.sqlite3"),
        "OPTIONS": {"timeout": 20},
    }
}
USE_TZ = True
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if url := os.environ.get("TEST_LAYER"):
    CHANNEL_LAYERS["default"] = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [url]}}
WSPROTO = {
    "PROBLEM_TYPE_BASE_URL": "https://example.com/problems",
    "PROBLEM_PAGES_URL": "/problems",
    "LIMITS": limits(),
    "AUTHORIZE_SUBSCRIBE": hook(),
    "CLIENT_WILDCARDS": hook() is not None,
    "AUTHENTICATE": "tests.adapters.applications.actions.authenticate",
    "TICKETS": tickets,
    "ON_DISCONNECT": "tests.adapters.applications.actions.on_disconnect",
    **{name.upper(): value for name, value in together().items()},
}
