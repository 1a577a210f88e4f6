"""The page that shows the AsyncAPI document, as those see it who look at it in a browser."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Request, expect

from tests.asyncapi.parsing import node_modules

# What Chromium itself reports: that the server is away, and that the application has no icon of its own.
NOT_OURS = re.compile(r"WebSocket connection to '\S+' failed|favicon\.ico")
LOOPBACK = re.compile(r"^(data:|blob:|(http|ws)://127\.0\.0\.1:\d+/)")


class Visit:
    """A visitor of the page, with what went wrong meanwhile and what was asked for.

    Args:
        page: a page that is open nowhere yet.
        url: of the server, without a path.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda said: self._hear(said.type, said.text, said.location.get("url", "")))
        page.on("pageerror", lambda error: self.complaints.append(f"{error}\n{error.stack}"))
        page.on("request", self._ask)
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def _hear(self, kind: str, text: str, url: str) -> None:
        if kind in {"error", "warning"} and not NOT_OURS.search(f"{text} {url}"):
            self.complaints.append(text)

    def _ask(self, request: Request) -> None:
        self.requests.append(request.url)

    def go(self, route: str = "", *, path: str = "/asyncapi") -> None:
        self.page.goto(f"{self.url}{path}{route}")
        expect(self.page.locator("#console-toggle")).to_be_visible()

    def settings(self, *, way: str | None = None, secret: str | None = None, form: str | None = None) -> None:
        """Say as whom to connect, in the form that may be folded."""
        page = self.page
        if not page.locator("#console").is_visible():
            page.locator("#console-toggle").click()
        page.locator("#settings").evaluate("details => { details.open = true }")
        if way is not None:
            page.get_by_label("Authentication").select_option(way)
        if secret is not None:
            page.locator("#secret").fill(secret)
        if form is not None:
            page.get_by_label("Form of the protocol").select_option(form)

    def connect(self, **settings: Any) -> None:
        self.settings(**settings)
        self.page.locator("#connect").click()
        expect(self.page.locator("#console .status")).to_have_text("Connected", timeout=15_000)

    def send(self, action: str, **fields: str) -> None:
        """Choose an action, fill in fields by name, send."""
        self.page.get_by_label("Action", exact=True).select_option(action)
        for name, value in fields.items():
            self.field(name).fill(value)
        self.page.locator("#send").click()

    def field(self, pointer: str) -> Any:
        return self.page.locator(f'#form [data-pointer="#/{pointer}"]')

    @property
    def outcome(self) -> Any:
        return self.page.locator("#outcome")

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is now."""
        # Evaluated as a debugger does it: the page's own policy lets no script in.
        self.page.evaluate((node_modules() / "axe-core/axe.min.js").read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def finish(self) -> None:
        """Hold that nothing went wrong, and that nothing was asked of anybody else."""
        assert self.complaints == []
        assert [url for url in self.requests if not LOOPBACK.match(url)] == []


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """Open a page of its own; at the end hold that nothing went wrong."""
    options = {"viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce", **options}
    context = browser.new_context(**options)
    try:
        visit = Visit(context.new_page(), url)
        yield visit
        visit.finish()
    finally:
        context.close()


def replace_document(visit: Visit, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the page get the server's document changed."""

    def answer(route: Any) -> None:
        response = route.fetch()
        document = response.json()
        change(document)
        route.fulfill(response=response, body=json.dumps(document))

    visit.page.route("**/asyncapi.json", answer)
