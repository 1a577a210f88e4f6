"""Draw the pictures of the demo in docs/images again: ``python -m scripts.demo_screenshots``."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.adapters.chat_demo import ChatServer, chromium, enter, say

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def person(browser: Browser, url: str, name: str, secret: str, **options: object) -> Page:
    """Open a page whose visitor is always the same one, and so has always the same colour."""
    page = browser.new_context(locale="en-GB", **options).new_page()  # type: ignore[arg-type]
    page.goto(f"{url}/favicon.svg")
    page.evaluate("secret => sessionStorage.setItem('visitor', secret)", secret)
    enter(page, url, name)
    return page


def main() -> None:
    """Let three people talk, and take the pictures."""
    with ChatServer() as server, chromium() as browser:
        desktop = person(
            browser, server.url, "Ada Lovelace", "ada-33", viewport={"width": 1200, "height": 750}, color_scheme="light"
        )
        phone = person(
            browser,
            server.url,
            "Grace Hopper",
            "grace-38",
            viewport={"width": 390, "height": 780},
            color_scheme="dark",
            device_scale_factor=2,
        )
        person(browser, server.url, "Linus", "linus-29")

        say(phone, "Morning! I am going to restart the server now, while everybody is in here.")
        say(desktop, "Brave. What happens to the people?")
        say(phone, "Every tab comes back by itself within a second or two, each at its own random moment.")
        say(phone, "And back into its room, so you may not even notice.")
        say(desktop, "And if I write six hundred characters meanwhile?")
        say(phone, "Then you get a problem with a pointer to the field, right under the box. The connection stays.")
        say(desktop, "Lovely. Go ahead!")
        phone.get_by_label("Message", exact=True).press_sequentially("Done")
        expect(desktop.get_by_text("Grace Hopper is writing…")).to_be_visible()
        desktop.screenshot(path=IMAGES / "demo.png")

        phone.get_by_label("Message", exact=True).fill("")
        phone.get_by_label("Message", exact=True).press("Enter")
        expect(phone.locator("#text-problem")).to_be_visible()
        phone.screenshot(path=IMAGES / "demo-phone.png")


if __name__ == "__main__":
    main()
