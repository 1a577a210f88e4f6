"""URL patterns of what the hub documents: ``path("", include("wsproto_channels.urls"))``."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from wsproto_channels.configuration import get_hub
from wsproto_channels.views import document

__all__ = ["app_name", "urlpatterns"]

app_name: Final = "wsproto_channels"


def _patterns() -> list[Any]:
    try:
        settings, site = get_hub().settings, get_hub().site
    except ImproperlyConfigured:
        return []  # `manage.py check` imports this, and tells it better than a traceback
    names = {settings.asyncapi_url: "asyncapi", settings.docs_url: "docs"}
    patterns = [
        path(place.removeprefix("/"), document, {"place": place}, name=names.get(place, place.rpartition("/")[2]))
        for place in site.paths
    ]
    pages = site.problem_pages
    if pages is not None:
        below = pages.removeprefix("/")
        patterns += [
            path(below, document, {"place": pages}, name="problems"),
            path(f"{below}/<slug>", document, {"place": pages}, name="problem"),
        ]
    return patterns


urlpatterns: Final[list[Any]] = _patterns()
