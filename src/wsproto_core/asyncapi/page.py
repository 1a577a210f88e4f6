"""The page that shows the document: one file, served in parts where scripts have to come from somewhere."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

__all__ = ["PAGE_POLICY", "docs_page", "linked_page", "page_script", "page_style"]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy of the page: its own script and style, and connections to sockets anywhere."""

_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT: Final = re.compile(r'<script( type="module")?>(.*?)</script>', re.DOTALL)
_DOCUMENT_URL: Final = "{{document_url}}"


def docs_page(document_url: str, *, nonce: str | None = None) -> str:
    """Return the page as one self-contained file of HTML, for applications that serve it themselves.

    Args:
        document_url: where it gets the document.
        nonce: of the application's Content-Security-Policy, which then names it for scripts and styles.
    """
    page = _source().replace(_DOCUMENT_URL, escape(document_url))
    if nonce is not None:
        named = f' nonce="{escape(nonce)}"'
        page = page.replace("<style>", f"<style{named}>", 1)
        page = _SCRIPT.sub(lambda found: found[0].replace("<script", f"<script{named}", 1), page, count=1)
    return page


def linked_page(document_url: str, base: str) -> str:
    """Return the page with its style and its script as files of their own, which strict policies allow.

    Args:
        document_url: where it gets the document.
        base: what ``.css`` and ``.js`` are put behind.
    """
    # The document's URL comes first, and none of them is a template: a prefix may be of a client's own choice.
    page = _source().replace(_DOCUMENT_URL, escape(document_url))
    page = _STYLE.sub(lambda _: f'<link rel="stylesheet" href="{escape(base)}.css">', page, count=1)
    return _SCRIPT.sub(lambda found: f'<script src="{escape(base)}.js"{found[1] or ""} defer></script>', page, count=1)


def page_style() -> str:
    """Return the style of the page."""
    found = _STYLE.search(_source())
    return found[1] if found is not None else ""


def page_script() -> str:
    """Return the script of the page."""
    found = _SCRIPT.search(_source())
    return found[2] if found is not None else ""


@cache
def _source() -> str:
    return files("wsproto_core.asyncapi").joinpath("page.html").read_text(encoding="utf-8")
