"""Which pages may connect, as a real browser sees it, which sends the visitor's cookies from any page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.adapters.chat_demo import chromium
from tests.adapters.conftest import Serve
from tests.adapters.pages import another_site, is_refused, user_of

pytestmark = pytest.mark.browser

APPLICATION = "tests.adapters.applications.on_fastapi_pages:app"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


def log_in(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(site)


def test_the_site_s_own_page_is_served_as_its_user_and_a_foreign_one_not_at_all(serve: Serve, page: Page) -> None:
    site = serve(APPLICATION)
    origin, socket = f"http://127.0.0.1:{site.port}", site.url("/ws/")
    with another_site() as (foreign, cookies):
        page.goto(origin)
        assert user_of(page, socket) is None
        log_in(page, f"{origin}/")
        assert user_of(page, socket) == "ada"
        assert "origin refused" not in site.log

        page.goto(foreign)
        assert is_refused(page, socket)
        assert cookies[0].startswith("session="), "the browser did not send the cookie, so nothing is tested"
        refusal = f"WARNING:wsproto_core.security:origin refused: '{foreign}'; expected {origin}."
        assert refusal in site.log
        # It is the origin that is refused, and not the user from then on.
        page.goto(origin)
        assert user_of(page, socket) == "ada"
        assert site.log.count("origin refused") == 1


def test_a_sandboxed_frame_of_the_own_page_has_no_origin_and_is_refused(serve: Serve, page: Page) -> None:
    site = serve(APPLICATION)
    log_in(page, f"http://127.0.0.1:{site.port}/")
    page.evaluate("document.body.innerHTML = '<iframe name=boxed sandbox=allow-scripts srcdoc=hello></iframe>'")
    frame = page.locator("iframe").element_handle().content_frame()
    assert frame is not None
    assert is_refused(frame, site.url("/ws/"))
    assert "origin refused: 'null'" in site.log


def test_a_page_of_a_listed_origin_is_served_as_the_user_and_one_that_is_not_listed_is_not(
    serve: Serve, page: Page
) -> None:
    with another_site() as (listed, _), another_site() as (foreign, _):
        site = serve(APPLICATION, origins=[listed])
        origin, socket = f"http://127.0.0.1:{site.port}", site.url("/ws/")
        log_in(page, f"{origin}/")
        assert user_of(page, socket) == "ada"
        page.goto(listed)
        assert user_of(page, socket) == "ada"
        page.goto(foreign)
        assert is_refused(page, socket)
        assert f"origin refused: '{foreign}'; expected {listed}, {origin}." in site.log
