from typing import Any

import pytest

from wsproto_core import ConfigurationError, Settings


def test_the_document_and_its_page_are_served_by_default() -> None:
    settings = Settings()
    assert (settings.asyncapi_url, settings.docs_url, settings.problem_pages_url) == (
        "/asyncapi.json",
        "/asyncapi",
        None,
    )


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("asyncapi_url", None, None),
        ("docs_url", "/docs/ws/", "/docs/ws"),
        ("title", "", None),
        ("title", "Chat", "Chat"),
        ("contact", {"name": "Ada", "email": "ada@example.com"}, {"name": "Ada", "email": "ada@example.com"}),
        ("contact", {}, None),
        ("contact", {"x-team": "core"}, {"x-team": "core"}),
        ("license", "MIT", {"name": "MIT"}),
        ("license", {"name": "MIT", "url": "https://example.com"}, {"name": "MIT", "url": "https://example.com"}),
        ("servers", None, {}),
        ("servers", ["wss://example.com"], {"server": {"host": "example.com", "protocol": "wss"}}),
        (
            "servers",
            ["ws://a:1/", "ws://b"],
            {"server": {"host": "a:1", "protocol": "ws"}, "server2": {"host": "b", "protocol": "ws"}},
        ),
        (
            "servers",
            {"live": "https://example.com/api/"},
            {"live": {"host": "example.com", "protocol": "wss", "pathname": "/api"}},
        ),
        (
            "servers",
            {"live": {"url": "ws://a", "description": "x"}},
            {"live": {"host": "a", "protocol": "ws", "description": "x"}},
        ),
        ("servers", {"live": {"host": "a", "protocol": "ws"}}, {"live": {"host": "a", "protocol": "ws"}}),
        ("sockets", ["/ws/"], ("/ws/",)),
    ],
)
def test_what_is_said_is_kept_in_the_form_of_the_document(name: str, given: Any, kept: object) -> None:
    assert getattr(Settings.of({name: given}), name) == kept


@pytest.mark.parametrize(
    ("name", "given", "hint"),
    [
        ("asyncapi_url", "asyncapi.json", "begins with a slash"),
        ("asyncapi_url", "//example.com", "begins with a slash"),
        ("asyncapi_url", "/", "root"),
        ("docs_url", "/docs/{x}", "without parameters"),
        ("docs_url", "/żółw", "plain path"),
        ("problem_pages_url", 1, "begins with a slash"),
        ("title", 1, "string"),
        ("contact", "Ada", "dict"),
        ("contact", {"phone": "1"}, "'phone'"),
        ("contact", {"name": 1}, "texts"),
        ("license", {"url": "https://example.com"}, "name"),
        ("license", "", "dict"),
        ("servers", "wss://example.com", "URLs"),
        ("servers", [1], "URL"),
        ("servers", ["example.com"], "wss://"),
        ("servers", {"a b": "ws://a"}, "letters"),
        ("servers", {"": "ws://a"}, "letters"),
        ("servers", {"a": {"host": "b"}}, "protocol"),
        ("sockets", "/ws/", "list"),
        ("sockets", ["ws"], "slash"),
        ("sockets", 1, "list"),
        ("authorize_docs", True, "function"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(name: str, given: Any, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as refused:
        Settings.of({name: given})
    assert name in str(refused.value)


def test_problem_types_point_to_their_pages() -> None:
    assert Settings(problem_pages_url="/problems").problem_type_base_url == "/problems"
    both = Settings(problem_pages_url="/problems", problem_type_base_url="https://example.com/problems")
    assert both.problem_type_base_url == "https://example.com/problems"
