"""Pages in a real browser that open sockets by themselves, whoever's sockets those are."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Frame, Page

from tests.adapters.talking import message

_WHO_AM_I = """([url, question]) => new Promise(resolve => {
    const socket = new WebSocket(url)
    socket.onopen = () => socket.send(question)
    socket.onmessage = ({ data }) => { resolve(JSON.parse(data)); socket.close() }
    socket.onclose = ({ code }) => resolve({ code })
})"""


def user_of(page: Page | Frame, url: str) -> Any:
    """Open a socket from a page; return as whom it is served."""
    answer = page.evaluate(_WHO_AM_I, [url, json.dumps(message("whoami"))])
    assert answer.get("event") == "me", answer
    return answer["payload"]["user_id"]


def is_refused(page: Page | Frame, url: str) -> bool:
    """Whether a page cannot open a socket, which is all that a browser tells a page of why."""
    return bool(page.evaluate(_WHO_AM_I, [url, json.dumps(message("whoami"))]) == {"code": 1006})


class _Foreign(BaseHTTPRequestHandler):
    """Has the same page for everybody, and keeps the cookies that browsers send along."""

    cookies: list[str]

    def do_GET(self) -> None:
        self.cookies.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>Another site</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def another_site() -> Iterator[tuple[str, list[str]]]:
    """Serve a site of somebody else on the same host; give its origin and the cookies that it was sent."""
    cookies: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Foreign", (_Foreign,), {"cookies": cookies})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", cookies
        finally:
            server.shutdown()
            thread.join()
