"""Draw the pictures of the demo in docs/images again: ``python -m scripts.demo_screenshots``."""

from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.adapters.chat_demo import ChatServer, ClusterDemo, chromium, enter, say

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FRAME = "body { display: flex; gap: 16px; margin: 16px; background: #d9d9e4 } img { width: 656px; border-radius: 12px }"


def person(browser: Browser, url: str, name: str, secret: str, **options: object) -> Page:
    """Open a page whose visitor is always the same one, and so has always the same colour."""
    page = browser.new_context(locale="en-GB", **options).new_page()  # type: ignore[arg-type]
    page.goto(f"{url}/favicon.svg")
    page.evaluate("secret => sessionStorage.setItem('visitor', secret)", secret)
    enter(page, url, name)
    return page


def one_process() -> None:
    """Let three people talk, and take the pictures of a desktop and of a phone."""
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


def two_processes() -> None:
    """Let people of two processes talk, and take one picture of both pages side by side."""
    size: ViewportSize = {"width": 820, "height": 540}
    with ClusterDemo(lease=5) as cluster, chromium() as browser:
        left = person(browser, cluster.fastapi, "Ada Lovelace", "ada-33", viewport=size, color_scheme="light")
        right = person(browser, cluster.flask, "Grace Hopper", "grace-38", viewport=size, color_scheme="light")
        for page in (left, right):
            expect(page.locator("#people .label")).to_have_count(2)
        say(left, "I am on FastAPI. And you?")
        say(right, "On Flask, in another process.")
        say(left, "So who knows that we are both here?")
        say(right, "Presence does. Redis is in between.")
        shots = []
        for page in (left, right):
            expect(page.locator("#log .bubble")).to_have_count(4)
            page.get_by_label("Message", exact=True).blur()
            shots.append(b64encode(page.screenshot()).decode())
        both = browser.new_page(viewport={"width": 1360, "height": 464})
        images = "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
        both.set_content(f"<style>{FRAME}</style>{images}")
        both.screenshot(path=IMAGES / "cluster.png")


def main() -> None:
    """Draw all of them."""
    one_process()
    two_processes()


if __name__ == "__main__":
    main()
