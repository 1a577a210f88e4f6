import pytest

from wsproto_core.asyncapi import docs_page
from wsproto_core.asyncapi.page import PAGE_POLICY, linked_page, page_script, page_style


def test_the_page_is_one_file_with_one_style_and_one_script() -> None:
    page = docs_page("/asyncapi.json")
    assert page.count("<style>") == 1
    assert page.count("<script") == 1
    assert page_style() in page
    assert page_script() in page
    assert "{{document_url}}" not in page
    assert '"/asyncapi.json"' in page


def test_a_nonce_is_on_both() -> None:
    page = docs_page("/asyncapi.json", nonce='a"b')
    assert page.count(' nonce="a&quot;b"') == 2
    assert "<style>" not in page


def test_the_parts_are_linked_where_a_policy_wants_that() -> None:
    page = linked_page('/a"/asyncapi.json', "/a")
    assert '<link rel="stylesheet" href="/a.css">' in page
    assert '<script src="/a.js"' in page
    assert '"/a&quot;/asyncapi.json"' in page
    assert "<style" not in page
    assert page_script() not in page


@pytest.mark.parametrize("prefix", ["/a\\g", "/a\\1", "/a\\", "/{{document_url}}"])
def test_a_prefix_is_no_template(prefix: str) -> None:
    page = linked_page(f"{prefix}/asyncapi.json", f"{prefix}/asyncapi")
    assert f'<link rel="stylesheet" href="{prefix}/asyncapi.css">' in page
    assert f'<script src="{prefix}/asyncapi.js"' in page
    assert f'"{prefix}/asyncapi.json"' in page


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    assert "default-src 'none'" in PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
