"""The demo of several processes in a real browser: pages of two processes, and one that is killed."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.adapters.chat_demo import ClusterDemo, chromium, enter, say

pytestmark = pytest.mark.browser


@pytest.fixture
def cluster() -> Iterator[ClusterDemo]:
    with ClusterDemo(lease=2) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What pages put on the console, and what they threw."""
    return []


@pytest.fixture
def new_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[[], Page]]:
    """Makes pages of different people."""
    contexts = []

    def make() -> Page:
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()


def test_pages_of_two_processes_are_one_chat(
    cluster: ClusterDemo, new_page: Callable[[], Page], complaints: list[str]
) -> None:
    ada, bob = new_page(), new_page()
    enter(ada, cluster.fastapi, "Ada", room="Café / ☕")
    enter(bob, cluster.flask, "Bob", room="Café / ☕")
    expect(ada.locator(".server:visible")).to_have_text(f"FastAPI · {cluster.fastapi_pid}")
    expect(bob.locator(".server:visible")).to_contain_text("Flask · ")
    expect(ada.locator("#people .label")).to_have_text(["Ada", "Bob"])
    expect(bob.locator("#people .label")).to_have_text(["Bob", "Ada"])
    expect(ada.get_by_text("Bob came in")).to_be_visible()

    say(ada, "Hello Flask")
    say(bob, "Hello FastAPI")
    for page in (ada, bob):
        expect(page.locator("#log .bubble")).to_have_text(["Hello Flask", "Hello FastAPI"])
        expect(page.get_by_text("2 people here")).to_be_visible()
    bob.get_by_label("Message", exact=True).press_sequentially("wait")
    expect(ada.get_by_text("Bob is writing…")).to_be_visible()

    # Whoever comes later sees what was said, wherever it was.
    cid = new_page()
    enter(cid, cluster.flask, "Cid")
    cid.get_by_role("button", name="Café / ☕, 2 people").click()
    expect(cid.locator("#log .bubble")).to_have_text(["Hello Flask", "Hello FastAPI"])
    expect(ada.locator("#people .label")).to_have_text(["Ada", "Bob", "Cid"])
    assert complaints == []

    os.kill(cluster.fastapi_pid, signal.SIGKILL)
    assert "FastAPI has ended" in cluster.line()
    for page in (bob, cid):
        expect(page.locator("#people .label")).to_have_count(2, timeout=20_000)
        expect(page.get_by_text("Ada left")).to_be_visible()
    say(bob, "Are you still there?")
    expect(cid.locator("#log .bubble").last).to_have_text("Are you still there?")
