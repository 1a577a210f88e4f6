"""The dashboard: figures that arrive, and what becomes of them for a reader who is slow."""

import asyncio
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.adapters.talking import PATIENCE, message
from tests.examples.conftest import NewPage
from tests.examples.started import Example, example, until
from wsproto_core.testing.wire import WireClient

pytestmark = pytest.mark.timeout(150)

FIGURES = {"processor", "memory", "loop", "connections", "lost"}


async def subscribe(running: Any, name: str) -> dict[str, Any]:
    """Subscribe to a figure; return what it begins with."""
    await running.send("ws.subscribe", {"topic": f"metric/{name}"})
    return (await until(running, "metric.history", name=name))["payload"]


async def test_each_figure_is_a_topic_that_begins_with_its_history() -> None:
    with example("dashboard", INTERVAL="0.05") as running:
        async with running.connect() as client, running.connect() as other:
            listed = (await client.ask("metric.list"))["payload"]["metrics"]
            assert {each["name"] for each in listed} >= FIGURES
            await subscribe(client, "connections")
            assert (await until(client, "metric.measured", name="connections", value=2.0))["recipient"] == "topic"
            seen = [(await until(client, "metric.measured"))["payload"] for _ in range(20)]
            assert [each["at"] for each in seen] == sorted({each["at"] for each in seen})
            began = await subscribe(other, "connections")
            assert began["interval"] == 0.05
            assert len(began["values"]) > 20
            for name in ("nothing", "a%2Fb"):
                refused = await client.send("ws.subscribe", {"topic": f"metric/{name}"})
                while (answer := await client.receive()).get("req_id") != refused:
                    pass
                assert answer["code"] == "forbidden"


async def test_a_slow_reader_gets_the_newest_values() -> None:
    with example("dashboard", INTERVAL="0.0005") as running:
        address = f"ws{running.url.removeprefix('http')}/ws/"
        async with running.connect() as other, WireClient(address, receive_buffer=4096) as slow:
            for name in FIGURES:
                await slow.send_text(json.dumps(message("ws.subscribe", {"topic": f"metric/{name}"})))
            # It does not read, until the dashboard itself tells that values were left out for it.
            async with asyncio.timeout(PATIENCE):
                while (await subscribe(other, "lost"))["values"][-1] < 100:
                    await other.send("ws.unsubscribe", {"topic": "metric/lost"})
            await other.send("ws.unsubscribe", {"topic": "metric/lost"})
            now, numbers = time.time(), [0]
            newest = dict.fromkeys(FIGURES, 0.0)
            async with asyncio.timeout(PATIENCE):
                while min(newest.values()) < now:
                    event = json.loads(await slow.receive_text())
                    numbers.append(event["seq"])
                    if event["event"] == "metric.measured":
                        name, at = event["payload"]["name"], event["payload"]["at"]
                        assert at > newest[name], "an older value came after a newer one"
                        newest[name] = at
            assert numbers == sorted(set(numbers))
            assert sum(after - before - 1 for before, after in pairwise(numbers)) >= 100


@pytest.fixture(scope="module")
def running() -> Iterator[Example]:
    with example("dashboard") as started:
        yield started


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_what_is_measured(running: Example, new_page: NewPage, scheme: str) -> None:
    page = new_page(running.url, color_scheme=scheme)
    expect(page.locator("article h2").first).to_contain_text("Processor")
    expect(page.locator("#status")).to_have_text("Live")
    connections = page.locator("article", has_text="Connections").locator(".number")
    expect(connections).to_have_text("1")
    second = new_page(running.url)
    expect(connections).to_have_text("2")
    second.close()
    expect(connections).to_have_text("1")
    line = page.locator("article .line").first
    before = line.get_attribute("d")
    assert before is not None
    expect(line).not_to_have_attribute("d", before)
