"""Draw the pictures of the page for AsyncAPI in docs/images again: ``python -m scripts.console_screenshots``."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.adapters.chat_demo import ChatServer, chromium
from tests.adapters.console_page import Visit

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2}


def main() -> None:
    """Call actions of the chat, and take the pictures."""
    with ChatServer() as server, chromium() as browser:
        on_desktop(visit_of(browser, server, DESKTOP, "light"), IMAGES / "console.png")
        on_desktop(visit_of(browser, server, DESKTOP, "dark"), IMAGES / "console-dark.png")
        on_phone(visit_of(browser, server, PHONE, "light"), IMAGES / "console-phone-light.png")
        on_phone(visit_of(browser, server, PHONE, "dark"), IMAGES / "console-phone-dark.png")


def visit_of(browser: Browser, server: ChatServer, screen: dict[str, Any], scheme: Any) -> Visit:
    """Return the page on a screen, in a colour scheme, connected as a user."""
    context = browser.new_context(locale="en-GB", color_scheme=scheme, **screen)
    visit = Visit(context.new_page(), server.url)
    visit.go("#/action/chat.join")
    visit.connect(way="subprotocol", secret=f"any-text-that-nobody-can-guess-{scheme}-{screen['viewport']['width']}")
    return visit


def on_desktop(visit: Visit, path: Path) -> None:
    """An action beside the console with its answers."""
    visit.page.get_by_role("button", name="Try it").click()
    visit.send("chat.join", name="Ada Lovelace", room="lobby")
    expect(visit.outcome.locator(".good")).to_be_visible()
    visit.send("chat.say", text="Does this page know what I may send?")
    expect(visit.outcome.locator(".good")).to_be_visible()
    visit.page.evaluate("location.hash = '#/action/chat.say'")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("chat.say")
    visit.page.locator("main details.answer summary", has_text="chat.said").click()
    visit.page.locator(".row.event", has_text="chat.said").last.click()
    visit.page.mouse.move(0, 0)
    visit.page.screenshot(path=path)
    visit.page.close()


def on_phone(visit: Visit, path: Path) -> None:
    """A payload that breaks a rule, with the problem at its field."""
    visit.send("chat.join", name="Grace Hopper", room="a name that is far too long")
    expect(visit.outcome.locator(".bad")).to_be_visible()
    visit.page.screenshot(path=path)
    visit.page.close()


if __name__ == "__main__":
    main()
