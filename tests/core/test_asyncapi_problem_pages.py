import json
import re
from html import unescape

import pytest

from wsproto_core import ConnectionInfo, Headers, ProblemType
from wsproto_core.asyncapi.problem_pages import ProblemPages, preferred
from wsproto_core.asyncapi.problem_texts import LANGUAGES, TEXTS, WORDS
from wsproto_core.problems import PROBLEM_TYPES

FULL = ProblemType("room_full", 409, "room full/é", "<b>Full</b>", description="All seats.\n\nChoose & go.")
RETRY = ProblemType("later", 503, "later", "Later", retryable=True)
PAGES = ProblemPages((*PROBLEM_TYPES.values(), FULL, RETRY), "/api/problems", "https://example.com/problems")


def page(slug: str, *, query: str = "", **headers: str) -> tuple[str, str]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    made = PAGES.answer(slug, ConnectionInfo(query=query, headers=Headers(fields)))
    assert made is not None
    assert "content-language" in dict(made[2])
    return made[0], made[1].decode()


def test_every_problem_of_the_protocol_has_words_in_every_language() -> None:
    assert set(TEXTS) == set(PROBLEM_TYPES)
    for texts in (*TEXTS.values(), *WORDS.values()):
        assert set(texts) == set(LANGUAGES)
    for code, kind in PROBLEM_TYPES.items():
        assert TEXTS[code]["en"][0] == kind.title
        assert TEXTS[code]["pl"] != TEXTS[code]["en"]


@pytest.mark.parametrize("kind", PROBLEM_TYPES.values(), ids=lambda kind: kind.code)
def test_a_page_says_what_it_means_and_what_to_do(kind: ProblemType) -> None:
    for language in LANGUAGES:
        content_type, text = page(kind.slug, query=f"lang={language}")
        assert content_type == "text/html; charset=utf-8"
        assert f'<html lang="{language}">' in text
        assert f"<code>{kind.code}</code>" in text
        text = unescape(text)
        title, *said = TEXTS[kind.code][language]
        assert f"<h1>{title}</h1>" in text
        assert all(each in text for each in said)


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({}, "", "en"),
        ({"accept_language": "pl"}, "", "pl"),
        ({"accept_language": "pl-PL,pl;q=0.9,en;q=0.5"}, "", "pl"),
        ({"accept_language": "de, pl;q=0.3, en;q=0.7"}, "", "en"),
        ({"accept_language": "de"}, "", "en"),
        ({"accept_language": "en"}, "a=1&lang=pl", "pl"),
        ({"accept_language": "pl"}, "lang=de", "pl"),
    ],
)
def test_the_language_is_what_is_asked_for(headers: dict[str, str], query: str, language: str) -> None:
    assert f'<html lang="{language}">' in page("conflict", query=query, **headers)[1]


def test_each_language_links_to_the_other() -> None:
    assert 'href="/api/problems/conflict?lang=pl" hreflang="pl"' in page("conflict")[1]
    assert 'href="/api/problems/conflict?lang=en" hreflang="en"' in page("conflict", query="lang=pl")[1]


def test_the_list_leads_to_every_page() -> None:
    links = re.findall(r'<li><a href="/api/problems/([^"?]+)\?lang=en"', page("")[1])
    assert links == [*(kind.slug for kind in PROBLEM_TYPES.values()), "room%20full/%C3%A9", "later"]


def test_a_problem_of_the_applications_own_says_what_its_author_wrote() -> None:
    text = page("room full/é")[1]
    assert "<h1>&lt;b&gt;Full&lt;/b&gt;</h1>" in text
    assert "<p>All seats.</p><p>Choose &amp; go.</p>" in text
    assert WORDS["not_again"]["en"] in text
    assert WORDS["again"]["pl"] in page("later", query="lang=pl")[1]
    assert WORDS["own"]["pl"] in page("later", query="lang=pl")[1]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/problem+json", "application/problem+json"),
        ("application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("image/png", "text/html; charset=utf-8"),
        ("application/*", "application/problem+json"),
        ("text/html;q=nonsense, application/json;q=0.1", "application/json"),
    ],
)
def test_programs_get_what_they_accept(accept: str, content_type: str) -> None:
    assert page("conflict", accept=accept)[0] == content_type


def test_programs_are_told_the_same() -> None:
    said = json.loads(page("later", accept="application/json")[1])
    assert said == {
        "type": "https://example.com/problems/later",
        "title": "Later",
        "status": 503,
        "detail": WORDS["own"]["en"],
        "code": "later",
        "retryable": True,
        "what_to_do": WORDS["again"]["en"],
    }
    assert len(json.loads(page("", accept="application/json")[1])) == len(PROBLEM_TYPES) + 2


def test_a_problem_that_there_is_not_has_no_page() -> None:
    assert PAGES.answer("nothing", ConnectionInfo()) is None


def test_of_what_is_liked_alike_the_first_is_taken() -> None:
    assert preferred("", ("a", "b")) == "a"
    assert preferred("b;q=2, a;q=-1", ("a", "b")) == "b"
