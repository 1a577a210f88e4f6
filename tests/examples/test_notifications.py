"""The notifications: a worker in a process of its own tells a user, wherever that user is connected."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.adapters.talking import Client
from tests.examples.conftest import NewPage
from tests.examples.started import Example, example, until

pytestmark = pytest.mark.timeout(150)  # Celery takes a while to start

PRIMES = 9_592  # below 100,000


@pytest.fixture(scope="module")
def running() -> Iterator[Example]:
    with example("notifications", end_by=signal.SIGTERM) as started:
        yield started


def by(token: str) -> dict[str, Any]:
    return {"subprotocols": ["wsproto.v1.json", "access-token", token]}


async def progress_of(client: Client) -> tuple[list[int], str]:
    """Return the percentages of a report, and what it ends with."""
    percents = []
    while True:
        received = await client.receive()
        if received["event"] == "notification":
            return percents, received["payload"]["text"]
        if received["event"] == "report.progress":
            percents.append(received["payload"]["percent"])


async def test_a_worker_tells_its_user_and_nobody_else(running: Example) -> None:
    async with (
        running.connect(**by("ada")) as ada,
        running.connect(**by("ada")) as other_window,
        running.connect(**by("bob")) as bob,
    ):
        await until(ada, "ws.ready")
        await until(other_window, "ws.ready")
        await until(bob, "ws.ready")
        await ada.send("report.order", {"upto": 100_000})
        for client in (ada, other_window):
            percents, text = await progress_of(client)
            assert percents == list(range(5, 101, 5))
            assert text.startswith(f"There are {PRIMES:,} primes below 100,000")
        # The next that the other user hears is the answer to a question of his own.
        assert await bob.is_served()
        refused = await ada.send("report.order", {"upto": 1})
        while (answer := await ada.receive()).get("req_id") != refused:
            pass
        assert answer["code"] == "invalid_payload"


@pytest.mark.browser
def test_the_page_shows_how_far_it_is(running: Example, new_page: NewPage) -> None:
    page = new_page(running.url)
    page.get_by_label("Count the primes below").fill("100000")
    page.get_by_role("button", name="Order the report").click()
    expect(page.locator("#reports .done")).to_contain_text("primes below 100,000; to count them took", timeout=60_000)
    page.get_by_label("Count the primes below").fill("1")
    page.get_by_role("button", name="Order the report").click()
    expect(page.locator("#problem")).to_contain_text("greater than or equal to 10000")
