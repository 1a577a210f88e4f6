"""The to-do lists: Django's sessions, PostgreSQL, and events that follow a commit."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import InvalidStatus

from tests.adapters.talking import PATIENCE, Client
from tests.examples.conftest import NewPage
from tests.examples.started import Example, example, off_loop, until

pytestmark = pytest.mark.timeout(150)  # a database is made first

GROCERIES = 1


@pytest.fixture(scope="module")
def running() -> Iterator[Example]:
    with example("todo", DATABASE_URL="") as started:
        yield started


class Person:
    """Somebody with a browser's cookies."""

    def __init__(self, running: Example, name: str, password: str = "together") -> None:
        self._running = running
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self.open("/login/")
        self.page = self.open("/login/", username=name, password=password)

    def open(self, path: str, **form: str) -> str:
        """Get a page, or send a form to it."""
        url = f"{self._running.url}{path}"
        cookies = {each.name: each.value for each in self._cookies}
        form = {"csrfmiddlewaretoken": cookies["csrftoken"] or "", **form} if form else {}
        body = urllib.parse.urlencode(form).encode() if form else None
        with self._opener.open(url, body, timeout=PATIENCE) as answer:
            page: str = answer.read().decode()
        return page

    def connect(self, **options: Any) -> AbstractAsyncContextManager[Client]:
        cookie = "; ".join(f"{each.name}={each.value}" for each in self._cookies)
        options = {"additional_headers": {"Cookie": cookie}, "subprotocols": ["wsproto.v1.json"], **options}
        return self._running.connect(**options)


async def ask(client: Client, action: str, **payload: Any) -> dict[str, Any]:
    """Return the problem or the end of an action; the events before are passed over."""
    req_id = await client.send(action, payload)
    while True:
        received = await client.receive()
        if received.get("req_id") == req_id and received.get("event", "ws.complete") == "ws.complete":
            return received


async def watch(client: Client, pk: int) -> dict[str, Any]:
    return await ask(client, "ws.subscribe", topic=f"list/{pk}")


async def test_only_those_who_are_logged_in_connect(running: Example) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with running.connect():
            pass
    assert refused.value.response.status_code == 401
    assert "Nobody has this name" in (await off_loop(Person, running, "ada", "wrong")).page
    ada = await off_loop(Person, running, "ada")
    with pytest.raises(InvalidStatus) as refused:
        async with ada.connect(origin="https://elsewhere.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_members_keep_a_list_together(running: Example) -> None:
    ada, grace = await off_loop(Person, running, "ada"), await off_loop(Person, running, "grace")
    async with ada.connect() as one, grace.connect() as other:
        for client in (one, other):
            req_id = await client.send("ws.subscribe", {"topic": f"list/{GROCERIES}"})
            assert (await until(client, "list.members"))["payload"]["names"] == ["ada", "grace"]
            assert (await until(client, "item.saved", text="Coffee beans"))["req_id"] == req_id
        assert "event" in await ask(one, "item.add", list=GROCERIES, text=" Salt ")
        item = (await until(other, "item.saved", text="Salt", done=False))["payload"]["id"]
        await other.send("item.check", {"id": item, "done": True})
        await until(one, "item.saved", id=item, done=True)
        assert "event" in await ask(one, "list.clear", id=GROCERIES)
        await until(other, "item.removed", id=item)
        assert (await ask(one, "item.check", id=item, done=False))["code"] == "not_found"
        assert (await ask(one, "item.add", list=GROCERIES, text=" "))["code"] == "invalid_payload"


async def test_a_list_is_for_its_members_alone(running: Example) -> None:
    ada, grace = await off_loop(Person, running, "ada"), await off_loop(Person, running, "grace")
    page = await off_loop(lambda: ada.open("/", name="Secret"))
    pk = int(re.findall(r'data-list="(\d+)"', page)[0])
    async with ada.connect() as one, grace.connect() as other:
        assert "event" in await watch(one, pk)
        await one.send("item.add", {"list": pk, "text": "A surprise"})
        item = (await until(one, "item.saved", text="A surprise"))["payload"]["id"]

        assert (await watch(other, pk))["code"] == "forbidden"
        assert (await ask(other, "item.add", list=pk, text="Mine"))["code"] == "forbidden"
        for action in ("item.check", "item.remove"):
            assert (await ask(other, action, id=item, done=True))["code"] == "not_found"
        await ask(other, "list.clear", id=pk)
        for refused in (f"/lists/{pk}/", f"/lists/{pk}/members/"):
            with pytest.raises(urllib.error.HTTPError) as error:
                await off_loop(lambda path=refused: grace.open(path, name="grace"))
            with error.value as answer:
                assert answer.code == 404

        # An ordinary view lets her in, and tells her.
        await off_loop(lambda: ada.open(f"/lists/{pk}/members/", name="grace"))
        assert (await until(other, "list.shared"))["payload"] == {"id": pk, "name": "Secret", "by": "ada"}
        assert (await until(one, "list.members"))["payload"]["names"] == ["ada", "grace"]
        assert "event" in await watch(other, pk)

        # And out again: what she listened to ends, and she may not come back to it.
        await off_loop(lambda: ada.open(f"/lists/{pk}/members/", name="grace", remove="yes"))
        code, reason, _ = await other.rest()
        assert (code, reason) == (1012, "Ask again.")
    async with grace.connect() as other:
        assert (await watch(other, pk))["code"] == "forbidden"


async def test_what_is_rolled_back_is_not_told(running: Example) -> None:
    ada = await off_loop(Person, running, "ada")
    page = await off_loop(lambda: ada.open("/", name="Long"))
    pk = int(re.findall(r'data-list="(\d+)"', page)[0])
    async with ada.connect() as client:
        await watch(client, pk)
        for number in range(50):
            assert "event" in await ask(client, "item.add", list=pk, text=f"{number}")
        await client.send("item.add", {"list": pk, "text": "One too many"})
        received = await client.receive()
        while "status" not in received:
            assert received.get("payload", {}).get("text") != "One too many"
            received = await client.receive()
        assert (received["status"], received["code"]) == (409, "list_full")
        # Had it been told, that would come before the answer to this.
        assert await client.is_served()


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("together")
    page.get_by_role("button", name="Log in").click()


@pytest.mark.browser
def test_two_people_in_two_browsers(running: Example, new_page: NewPage) -> None:
    ada, grace = new_page(running.url), new_page(running.url, color_scheme="dark")
    for page, name in ((ada, "ada"), (grace, "grace")):
        log_in(page, name)
    ada.get_by_label("Name of a new list").fill("Trip")
    ada.get_by_role("button", name="Make it").click()
    expect(ada.get_by_role("heading", name="Trip")).to_be_visible()
    ada.get_by_label("Name of somebody").fill("grace")
    ada.get_by_role("button", name="Let in").click()
    grace.get_by_role("link", name="Trip").click()
    expect(grace.locator("#status")).to_have_text("Connected")
    ada.get_by_label("Something to do").fill("<b>Tickets</b>")
    ada.get_by_role("button", name="Add it").click()
    for page in (ada, grace):
        expect(page.locator("#items li")).to_have_text([re.compile("<b>Tickets</b>")])
        expect(page.locator("#members")).to_have_text("ada, grace")
    grace.get_by_label("<b>Tickets</b>").check()
    expect(ada.get_by_label("<b>Tickets</b>")).to_be_checked()
    ada.get_by_role("button", name="Add it").click()
    expect(ada.locator("#problem")).to_contain_text("at least 1 character")
    ada.get_by_label("Name of somebody").fill("grace")
    ada.get_by_role("button", name="Let out").click()
    expect(grace.get_by_role("heading", name="Your lists")).to_be_visible(timeout=20_000)
    expect(grace.get_by_role("link", name="Trip")).to_have_count(0)
