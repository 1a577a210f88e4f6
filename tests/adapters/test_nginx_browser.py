"""Which pages may connect behind nginx, which ends TLS and puts the application below a prefix."""

import ssl
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.adapters.chat_demo import chromium
from tests.adapters.hosts import GUNICORN, Host, uvicorn
from tests.adapters.pages import another_site, is_refused, user_of
from tests.adapters.proxying import Nginx
from tests.adapters.serving import Server

pytestmark = pytest.mark.browser

APPLICATIONS = "tests.adapters.applications"
SITES = {
    "uvicorn": Host("fastapi", "fastapi", f"{APPLICATIONS}.on_fastapi_pages:app", uvicorn("--root-path", "/app")),
    "gunicorn": Host("flask", "flask", f"{APPLICATIONS}.on_flask_pages:app", (*GUNICORN, "{application}")),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=list(SITES))
def behind(request: pytest.FixtureRequest, start: Callable[..., Server]) -> Iterator[Server]:
    """The server that nginx is in front of."""
    with start(SITES[request.param]) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(behind: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(behind, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, nginx: Nginx) -> Iterator[Page]:
    """A page of the site, whose visitor is logged in."""
    with browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto(f"{nginx.site}/app/")
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{nginx.site}/app/")
        yield page


def test_a_page_of_the_site_is_served_as_its_user(page: Page, nginx: Nginx) -> None:
    assert user_of(page, nginx.url("/app/ws/")) == "ada"


def test_a_foreign_page_is_refused(page: Page, nginx: Nginx, behind: Server) -> None:
    with another_site() as (foreign, cookies):
        page.goto(foreign)
        assert is_refused(page, nginx.url("/app/ws/"))
        assert cookies[0].startswith("session="), "the browser did not send the cookie, so nothing is tested"
        assert f"origin refused: '{foreign}'; expected {nginx.site}." in behind.log
        assert "(on '/app/ws/', from 127.0.0.1:" in behind.log


def test_a_page_that_came_in_the_clear_is_refused(page: Page, nginx: Nginx, behind: Server) -> None:
    page.goto(f"{nginx.plain_site}/app/")
    assert is_refused(page, nginx.url("/app/ws/"))
    assert f"origin refused: '{nginx.plain_site}'; expected {nginx.site}." in behind.log


def test_the_scheme_alone_makes_an_origin_foreign(nginx: Nginx, behind: Server) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    origin = f"http://127.0.0.1:{nginx.port}"
    with pytest.raises(InvalidStatus) as refusal:
        connect(nginx.url("/app/ws/"), ssl=trusting, additional_headers={"Origin": origin}, proxy=None)
    assert refusal.value.response.status_code == 403
    assert f"origin refused: '{origin}'; expected {nginx.site}." in behind.log


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("no-host", "https://127.0.0.1:{behind.port}"),
        ("no-port", "https://127.0.0.1"),
        ("no-scheme", "http://127.0.0.1:{nginx.port}"),
    ],
)
def test_what_the_proxy_leaves_out_is_told_in_the_log(
    page: Page, nginx: Nginx, behind: Server, location: str, expected: str
) -> None:
    assert is_refused(page, nginx.url(f"/{location}/ws/"))
    expected = expected.format(nginx=nginx, behind=behind)
    assert f"origin refused: '{nginx.site}'; expected {expected}. Allow it" in behind.log
