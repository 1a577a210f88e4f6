"""The notes: a session per message, and a view that tells those who have a socket."""

import json
import signal
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.examples.conftest import NewPage
from tests.examples.started import Example, example, off_loop, until

pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Example]:
    with example("notes", DATABASE_URL=database(tmp_path)) as started:
        yield started


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'notes.db'}"


async def test_notes_are_shared_and_kept(tmp_path: Path) -> None:
    with example("notes", end_by=signal.SIGTERM, DATABASE_URL=database(tmp_path)) as running:
        async with running.connect() as ada, running.connect() as bob:
            for client in (ada, bob):
                assert (await client.ask("ws.subscribe", {"topic": "notes"}))["event"] == "ws.subscribed"
            await ada.send("note.add", {"text": " tea "})
            for client in (ada, bob):
                saved = (await until(client, "note.saved"))["payload"]
                assert (saved["id"], saved["text"], saved["pinned"]) == (1, "tea", False)
            await bob.send("note.pin", {"id": 1, "pinned": True})
            await until(ada, "note.saved", id=1, pinned=True)
            assert await off_loop(running.get, "/notes", b"text=milk") == "2\n"
            await until(ada, "note.saved", id=2, text="milk")
            await ada.send("note.remove", {"id": 1})
            await until(bob, "note.removed", id=1)
            refused = await bob.send("note.pin", {"id": 1, "pinned": True})
            while (answer := await bob.receive()).get("req_id") != refused:
                pass
            assert (answer["status"], answer["code"]) == (404, "no_such_note")
    with example("notes", DATABASE_URL=database(tmp_path)) as running:
        async with running.connect() as client:
            await client.send("ws.subscribe", {"topic": "notes"})
            assert (await until(client, "note.saved"))["payload"]["text"] == "milk"


async def test_each_message_has_a_session_of_its_own(running: Example) -> None:
    """A session that stayed open would keep a transaction, and with it everybody else from writing to SQLite."""
    async with running.connect() as ada, running.connect() as bob:
        for number in range(30):
            await ada.send("note.add", {"text": f"{number}"})
            await bob.send("note.add", {"text": f"{number}"})
        await ada.send("ws.subscribe", {"topic": "notes"})
        ids = [(await until(ada, "note.saved"))["payload"]["id"] for _ in range(30)]
        assert len(set(ids)) == 30


def test_a_view_refuses_as_the_sockets_do(running: Example) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        running.get("/notes", b"text=+")
    with refused.value as answer:
        problem: dict[str, Any] = json.load(answer)
    assert (refused.value.code, problem["code"]) == (422, "no_note")


@pytest.mark.browser
def test_two_people_at_the_board(running: Example, new_page: NewPage) -> None:
    ada, bob = new_page(running.url), new_page(running.url, color_scheme="dark")
    for page in (ada, bob):
        expect(page.locator("#status")).to_have_text("Connected")
    ada.get_by_label("A new note").fill("<b>milk</b>")
    ada.get_by_role("button", name="Pin it up").click()
    for page in (ada, bob):
        expect(page.locator("#notes p")).to_have_text(["<b>milk</b>"])
    bob.get_by_role("button", name="Keep on top").click()
    expect(ada.locator("#notes .pinned")).to_have_count(1)
    ada.get_by_role("button", name="Pin it up").click()
    expect(ada.locator("#problem")).to_contain_text("at least 1 character")
    running.get("/notes", b"text=bread")
    expect(bob.locator("#notes p")).to_have_text(["bread", "<b>milk</b>"])
    ada.get_by_role("button", name="Remove").last.click()
    expect(bob.locator("#notes p")).to_have_text(["bread"])
