"""The demo as a newcomer sees it: two pages in a real browser, and the chat in a process of its own."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.adapters.chat_demo import ChatServer, chromium, enter, say

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]

# What Chromium itself reports while the server is away; the page can neither cause nor hush it.
SERVER_AWAY = re.compile(r"WebSocket connection to '\S+' failed")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What pages put on the console, violations of the Content Security Policy included, and what they threw."""
    return []


@pytest.fixture
def new_page(browser: Browser, complaints: list[str]) -> Iterator[NewPage]:
    """Makes pages that share nothing with each other, as those of two people."""
    with ExitStack() as opened:

        def hear(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        def make(**options: Any) -> Page:
            page = opened.enter_context(browser.new_context(**options)).new_page()
            page.on("console", hear)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield make


def bubbles(page: Page) -> Locator:
    return page.locator("#log .bubble")


def people(page: Page) -> Locator:
    return page.locator("#people .label")


def status(page: Page) -> Locator:
    return page.locator(".status:visible")


def test_two_people_talk_and_see_who_is_there(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "Ada")
    expect(people(ada)).to_have_text(["Ada"])
    enter(bob, server.url, "Bob")
    expect(people(ada)).to_have_text(["Ada", "Bob"])
    expect(people(bob)).to_have_text(["Bob", "Ada"])
    for page in (ada, bob):
        expect(status(page)).to_have_text("Connected")
        expect(page.get_by_text("2 people here")).to_be_visible()

    say(ada, "Hello Bob")
    expect(bubbles(bob)).to_have_text(["Hello Bob"])
    say(bob, "Hello Ada")
    for page in (ada, bob):
        expect(bubbles(page)).to_have_text(["Hello Bob", "Hello Ada"])

    bob.close()
    expect(people(ada)).to_have_text(["Ada"])
    expect(ada.get_by_text("Bob left")).to_be_visible()
    assert complaints == []


def test_a_refused_message_shows_its_problem_beside_the_input(
    server: ChatServer, new_page: NewPage, complaints: list[str]
) -> None:
    page = new_page()
    enter(page, server.url, "Ada")
    box, problem = page.get_by_label("Message", exact=True), page.locator("#text-problem")

    box.press("Enter")
    expect(problem).to_contain_text("at least 1 character")
    expect(problem).to_contain_text("422 invalid_payload #/payload/text")
    expect(box).to_have_attribute("aria-invalid", "true")
    box.press("a")
    expect(problem).to_be_hidden()

    box.fill("x" * 501)
    box.press("Enter")
    expect(problem).to_contain_text("at most 500 characters")
    expect(box).to_have_value("x" * 501)

    for count in range(5):
        say(page, f"message {count}")
    box.fill("one too many")
    box.press("Enter")
    expect(problem).to_contain_text("429 slow_down")
    expect(bubbles(page)).to_have_count(5)
    assert complaints == []


def test_a_refused_name_is_told_at_the_door(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    page = new_page()
    page.goto(server.url)
    page.get_by_label("Your name").fill("N" * 25)
    page.get_by_role("button", name="Enter the room").click()
    expect(page.locator("#name-problem")).to_contain_text("at most 24 characters")
    expect(page.get_by_label("Your name")).to_be_focused()
    assert complaints == []


def test_what_people_write_is_text_and_never_markup(
    server: ChatServer, new_page: NewPage, complaints: list[str]
) -> None:
    script = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "<b>Ada</b>")
    enter(bob, server.url, "Bob", room="lobby")
    say(ada, script)
    expect(bubbles(bob)).to_have_text([script])
    expect(people(bob)).to_have_text(["Bob", "<b>Ada</b>"])
    for page in (ada, bob):
        assert page.locator("#log script, #log img, #people b").count() == 0
        expect(page).to_have_title(re.compile("lobby · Chat"))
    assert complaints == []


def test_rooms_are_made_and_changed_and_kept_apart(
    server: ChatServer, new_page: NewPage, complaints: list[str]
) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "Ada")
    say(ada, "still in the lobby")
    enter(bob, server.url, "Bob")
    expect(bubbles(bob)).to_have_text(["still in the lobby"])

    ada.get_by_label("Name of a new room").fill("Café / ☕")
    ada.get_by_label("Name of a new room").press("Enter")
    expect(ada.get_by_role("heading", name="Café / ☕")).to_be_visible()
    expect(people(bob)).to_have_text(["Bob"])
    say(ada, "anybody here?")
    bob.get_by_role("button", name="Café / ☕, 1 person").click()
    expect(bubbles(bob)).to_have_text(["anybody here?"])
    expect(people(ada)).to_have_text(["Ada", "Bob"])
    assert complaints == []


def test_what_came_unseen_is_counted(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    ada, bob = new_page(), new_page(viewport={"width": 390, "height": 420})
    enter(ada, server.url, "Ada")
    enter(bob, server.url, "Bob")
    for line in ("one", "two", "three", "four"):
        say(ada, f"{line}, and enough words with it to fill several lines on a screen as small as this one")
    expect(bubbles(bob)).to_have_count(4)
    bob.locator("#log").evaluate("log => { log.scrollTop = 0 }")
    say(ada, "five")
    expect(bob).to_have_title("(1) lobby · Chat")
    bob.get_by_role("button", name="1 new message").click()
    expect(bubbles(bob).last).to_be_in_viewport()
    expect(bob).to_have_title("lobby · Chat")
    assert complaints == []


@pytest.mark.parametrize("end", [ChatServer.kill, ChatServer.stop], ids=["crash", "restart"])
def test_the_pages_come_back_when_the_server_does(
    server: ChatServer, new_page: NewPage, complaints: list[str], end: Callable[[ChatServer], None]
) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "Ada", room="music")
    enter(bob, server.url, "Bob", room="music")
    say(ada, "before")
    expect(bubbles(bob)).to_have_text(["before"])

    end(server)
    for page in (ada, bob):
        expect(status(page)).to_have_text("Reconnecting…")
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
    server.start()
    for page in (ada, bob):
        expect(status(page)).to_have_text("Connected", timeout=20_000)
        expect(people(page)).to_have_count(2)

    say(ada, "after")
    say(bob, "welcome back")
    for page in (ada, bob):
        expect(bubbles(page)).to_have_text(["before", "after", "welcome back"])
    assert [line for line in complaints if not SERVER_AWAY.search(line)] == []


def test_a_reload_keeps_the_seat(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "Ada")
    enter(bob, server.url, "Bob")
    say(bob, "mine")
    bob.reload()
    expect(people(bob)).to_have_text(["Bob", "Ada"])
    expect(bob.locator(".message.mine .bubble")).to_have_text(["mine"])
    expect(people(ada)).to_have_text(["Ada", "Bob"])
    bob.get_by_role("button", name="Change name").click()
    expect(people(ada)).to_have_text(["Ada"])
    expect(bob.get_by_label("Your name")).to_have_value("Bob")
    assert complaints == []


def test_two_tabs_of_a_person_are_one_person(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, server.url, "Ada")
    enter(bob, server.url, "Bob")
    expect(bob.locator("#log").get_by_text("Ada came in")).to_have_count(0)

    # A tab that the browser has copied, with what it remembers.
    second = ada.context.new_page()
    second.goto(f"{server.url}/favicon.svg")
    secret = ada.evaluate("sessionStorage.getItem('visitor')")
    second.evaluate("secret => sessionStorage.setItem('visitor', secret)", secret)
    enter(second, server.url, "Ada L.")
    for page, names in ((bob, ["Bob", "Ada L."]), (second, ["Ada L.", "Bob"])):
        expect(people(page)).to_have_text(names)
        expect(page.get_by_text("2 people here")).to_be_visible()
    say(second, "from the second tab")
    expect(ada.locator(".message.mine .bubble")).to_have_text(["from the second tab"])

    ada.close()
    say(second, "still here")
    expect(bubbles(bob)).to_have_text(["from the second tab", "still here"])
    expect(people(bob)).to_have_text(["Bob", "Ada L."])
    expect(bob.get_by_text("left")).to_have_count(0)
    second.close()
    expect(people(bob)).to_have_text(["Bob"])
    expect(bob.get_by_text("Ada L. left")).to_be_visible()
    assert complaints == []


def test_a_phone_and_a_keyboard_are_enough(server: ChatServer, new_page: NewPage, complaints: list[str]) -> None:
    page = new_page(viewport={"width": 390, "height": 780})
    page.goto(server.url)
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("no mouse")
    page.keyboard.press("Enter")
    expect(bubbles(page)).to_have_text(["no mouse"])

    page.get_by_role("button", name="Rooms and people").press("Enter")
    expect(page.get_by_role("button", name="Close the list of rooms")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Rooms and people")).to_be_focused()
    expect(page.get_by_label("Rooms and people").get_by_role("list").first).to_be_hidden()

    page.get_by_role("button", name="Rooms and people").press("Enter")
    page.get_by_role("button", name="music, 0 people").press("Enter")
    expect(page.get_by_role("heading", name="music")).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    assert complaints == []
