"""Draw the pictures of the examples in docs/images again: ``python -m scripts.example_screenshots``."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.adapters.chat_demo import chromium
from tests.examples.started import example

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WINDOW: dict[str, Any] = {"viewport": {"width": 1000, "height": 640}, "locale": "en-GB"}


def main() -> None:
    """Take a picture of each example that has something to look at."""
    with chromium() as browser:
        dashboard(browser)
        todo(browser)


def dashboard(browser: Browser) -> None:
    """Let the lines grow over the width of their boxes."""
    with example("dashboard", INTERVAL="0.1") as running:
        page = browser.new_context(**WINDOW, color_scheme="dark").new_page()
        page.goto(running.url)
        expect(page.locator("article .line").first).to_have_attribute("d", re.compile(r"^M0\.0 "), timeout=60_000)
        page.screenshot(path=IMAGES / "dashboard.png")
        page.context.close()


def todo(browser: Browser) -> None:
    """Have two people at one list."""
    with example("todo", DATABASE_URL="") as running:
        ada, grace = (_logged_in(browser, running.url, name) for name in ("ada", "grace"))
        for page in (ada, grace):
            page.get_by_role("link", name="Groceries").click()
        grace.get_by_label("Two lemons").check()
        for text in ("Oats", "Something sweet for the afternoon"):
            ada.get_by_label("Something to do").fill(text)
            ada.get_by_role("button", name="Add it").click()
            expect(grace.get_by_text(text)).to_be_visible()
        expect(ada.get_by_label("Two lemons")).to_be_checked()
        ada.screenshot(path=IMAGES / "todo.png")
        for page in (ada, grace):
            page.context.close()


def _logged_in(browser: Browser, url: str, name: str) -> Page:
    page = browser.new_context(**WINDOW, color_scheme="light").new_page()
    page.goto(url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("together")
    page.get_by_role("button", name="Log in").click()
    return page


if __name__ == "__main__":
    main()
