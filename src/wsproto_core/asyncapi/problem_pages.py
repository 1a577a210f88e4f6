"""A page for each problem type, where its ``type`` points to (RFC 9457 section 3.1.1), for people and programs."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Any, Final
from urllib.parse import quote

from wsproto_core.asyncapi.problem_texts import LANGUAGES, TEXTS, WORDS, Language
from wsproto_core.problems import ProblemType, problem_type_uri
from wsproto_core.transport import ConnectionInfo

__all__ = ["ProblemPages", "preferred"]

_STYLE: Final = (
    ":root{color-scheme:light dark;font:16px/1.6 system-ui,sans-serif;--soft:light-dark(#5b6472,#a3adbb)}"
    "body{max-width:42rem;margin:0 auto;padding:2rem 1.25rem}"
    "nav{display:flex;justify-content:space-between;gap:1rem}"
    "h1{font-size:1.6rem;line-height:1.25;margin:2rem 0 .25rem}h2{font-size:1rem;margin:1.75rem 0 .25rem}"
    "p{margin:.25rem 0}code{font:.95em ui-monospace,monospace}.soft{color:var(--soft)}"
    "a{color:light-dark(#1a56b0,#8ab8ff)}ul{padding:0;list-style:none}li{padding:.35rem 0}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HTML: Final = "text/html"
_JSON: Final = ("application/problem+json", "application/json")

_Made = tuple[str, bytes, tuple[tuple[str, str], ...]]


class ProblemPages:
    """Makes the pages.

    Args:
        kinds: that there are.
        base: their path, for who asks from outside.
        type_base: what problem type URLs begin with.
    """

    def __init__(self, kinds: Sequence[ProblemType], base: str, type_base: str | None) -> None:
        self._kinds = kinds
        self._base = base
        self._type_base = type_base

    def answer(self, slug: str, info: ConnectionInfo) -> _Made | None:
        """Return the content type, the body and further headers of a page; None where there is no such problem.

        Args:
            slug: of the problem; an empty one is the list of all.
            info: says which language and which form is preferred: ``Accept-Language`` or ``?lang=pl``, and ``Accept``.
        """
        kinds = [kind for kind in self._kinds if not slug or kind.slug == slug]
        if not kinds:
            return None
        language = _language(info)
        form = preferred(info.headers.get("accept", ""), (_HTML, *_JSON))
        headers = (("content-language", language),)
        if form != _HTML:
            said = [self._said(kind, language) for kind in kinds]
            data: Any = said[0] if slug and len(said) == 1 else said
            return form, json.dumps(data, ensure_ascii=False).encode(), headers
        html = self._page(slug, kinds, language)
        return "text/html; charset=utf-8", html.encode(), (*headers, ("content-security-policy", _POLICY))

    def _said(self, kind: ProblemType, language: Language) -> dict[str, Any]:
        title, meaning, way_out = _texts(kind, language)
        return {
            "type": problem_type_uri(self._type_base, kind.slug),
            "title": title,
            "status": kind.status,
            "detail": meaning,
            "code": kind.code,
            "retryable": kind.retryable,
            "what_to_do": way_out,
        }

    def _page(self, slug: str, kinds: Sequence[ProblemType], language: Language) -> str:
        body = [self._article(kind, language) for kind in kinds] if slug else [self._list(kinds, language)]
        title = _texts(kinds[0], language)[0] if slug else WORDS["all"][language]
        here = f"{self._base}/{quote(slug)}" if slug else self._base
        links = " ".join(
            f'<a href="{escape(here)}?lang={other}" hreflang="{other}" lang="{other}">{name}</a>'
            for other, name in LANGUAGES.items()
            if other != language
        )
        up = f'<a href="{escape(self._base)}?lang={language}">{WORDS["all"][language]}</a>' if slug else "<span></span>"
        return (
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body><nav>{up}<span>{links}</span></nav><main>{''.join(body)}</main></body></html>\n"
        )

    def _article(self, kind: ProblemType, language: Language) -> str:
        title, meaning, way_out = _texts(kind, language)
        words = {name: texts[language] for name, texts in WORDS.items()}
        return (
            f'<article><h1>{escape(title)}</h1><p class="soft">{kind.status} · {words["code"]} '
            f"<code>{escape(kind.code)}</code></p>"
            f"<h2>{words['meaning']}</h2>{_paragraphs(meaning)}"
            f"<h2>{words['way_out']}</h2>{_paragraphs(way_out)}"
            f"<h2>{words['retryable']}</h2><p>{words['yes' if kind.retryable else 'no']}</p></article>"
        )

    def _list(self, kinds: Sequence[ProblemType], language: Language) -> str:
        items = "".join(
            f'<li><a href="{escape(self._base)}/{quote(kind.slug)}?lang={language}">'
            f"{escape(_texts(kind, language)[0])}</a> "
            f'<span class="soft">{kind.status} · <code>{escape(kind.code)}</code></span></li>'
            for kind in kinds
        )
        return f"<h1>{WORDS['all'][language]}</h1><ul>{items}</ul>"


def preferred(header: str, offered: Sequence[str]) -> str:
    """Return what of a list a client likes best, by ``Accept`` or ``Accept-Language`` (RFC 9110 section 12.4).

    Args:
        header: its value; an empty one likes all alike.
        offered: media types or languages; of those that are liked alike, and where none is, the first is taken.
    """
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            weights[name] = min(1.0, max(0.0, float(weight)))
        except ValueError:
            weights[name] = 0.0

    def weight_of(name: str) -> float:
        kind = name.partition("/")[0]
        matching = (name, f"{kind}/*", "*/*", "*")
        exact = next((weights[each] for each in matching if each in weights), 0.0)
        return max([exact, *(weight for range_, weight in weights.items() if range_.startswith(f"{name}-"))])

    return max(offered, key=weight_of)


def _language(info: ConnectionInfo) -> Language:
    for language in LANGUAGES:
        if f"lang={language}" in info.query.split("&"):
            return language
    chosen = preferred(info.headers.get("accept-language", ""), tuple(LANGUAGES))
    return "pl" if chosen == "pl" else "en"


def _texts(kind: ProblemType, language: Language) -> tuple[str, str, str]:
    """Return title, meaning and what to do; an application's own problem has what its author wrote, in one language."""
    if kind.code in TEXTS:
        return TEXTS[kind.code][language]
    way_out = WORDS["again" if kind.retryable else "not_again"][language]
    return kind.title, kind.description or WORDS["own"][language], way_out


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(each)}</p>" for each in text.split("\n\n"))
