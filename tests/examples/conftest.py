"""A real browser for the pages of the examples."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.adapters.chat_demo import chromium

NewPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What pages put on the console, violations of the Content Security Policy included: nothing."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def new_page(browser: Browser, complaints: list[str]) -> Iterator[NewPage]:
    """Makes pages that share nothing, as those of two people, and that ask nobody but the example.

    A test asks for it after the example, so that they are closed first: they would complain about the example's end.
    """
    with ExitStack() as opened:

        def hear(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        def make(url: str, **options: Any) -> Page:
            page = opened.enter_context(browser.new_context(**options)).new_page()
            page.on("console", hear)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: _is_own(request.url, url) or complaints.append(request.url))
            page.goto(url)
            return page

        yield make


def _is_own(requested: str, url: str) -> bool:
    return requested.startswith((f"{url}/", "data:"))
