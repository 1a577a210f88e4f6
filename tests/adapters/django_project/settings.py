"""The settings of the project; `settings_…` beside it differ in what they say."""

import os
import tempfile

from tests.adapters.applications.actions import tickets
from tests.adapters.applications.common import hook, limits

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
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
WSPROTO = {
    "PROBLEM_TYPE_BASE_URL": "https://example.com/problems",
    "LIMITS": limits(),
    "AUTHORIZE_SUBSCRIBE": hook(),
    "CLIENT_WILDCARDS": hook() is not None,
    "AUTHENTICATE": "tests.adapters.applications.actions.authenticate",
    "TICKETS": tickets,
    "ON_DISCONNECT": "tests.adapters.applications.actions.on_disconnect",
}
