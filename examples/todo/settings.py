"""Settings of the project. What differs between machines comes from the environment."""

import os

from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "wsproto_channels",
    "examples.todo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "examples.todo.views.content_security_policy",
]
ROOT_URLCONF = "examples.todo.urls"
ASGI_APPLICATION = "examples.todo.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

# What PostgreSQL's own programs understand, as in postgresql://user:password@host/name.
_database = conninfo_to_dict(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.get("dbname", ""),
        "USER": _database.get("user", ""),
        "PASSWORD": _database.get("password", ""),
        "HOST": _database.get("host", ""),
        "PORT": _database.get("port", ""),
        # Threads that come and go share connections, instead of each keeping one.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 10}},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "lists"
LOGOUT_REDIRECT_URL = "login"
USE_TZ = True

# One process needs no channel layer. With several: "BACKPLANE": "redis://…".
WSPROTO = {"BACKPLANE": "memory://"}
