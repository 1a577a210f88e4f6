import re
from typing import Any

import pytest

from wsproto_core import ANY_ORIGIN, NOT_GIVEN, SAME_ORIGIN, ConfigurationError, ConnectionInfo, Headers
from wsproto_core.origins import OriginPolicy, own_origin, parse_origin

LISTED = ["https://app.example.com", "http://localhost:3000", "https://[::1]:8443"]


def info(*origins: str, host: str | None = "good.example", scheme: str = "wss") -> ConnectionInfo:
    fields = [("Origin", origin) for origin in origins]
    return ConnectionInfo(headers=Headers([*fields, ("Host", host)] if host is not None else fields), scheme=scheme)


@pytest.mark.parametrize(
    ("connection", "allowed"),
    [
        (info("https://good.example"), True),
        (info("https://good.example:443"), True),
        (info("HTTPS://GOOD.example"), True),
        (info("http://good.example", scheme="ws"), True),
        (info("http://good.example:8000", host="good.example:8000", scheme="ws"), True),
        (info("http://[::1]:8000", host="[::1]:8000", scheme="http"), True),
        (info(), True),
        (info(host=None), True),
        (info("http://good.example"), False),
        (info("https://good.example", scheme="ws"), False),
        (info("https://good.example:8443"), False),
        (info("https://good.example.evil.example"), False),
        (info("https://evil.example/good.example"), False),
        (info("https://evilgood.example"), False),
        (info("https://good.example@evil.example"), False),
        (info("https://good.example\t"), False),
        (info("https://go\tod.example"), False),
        (info("null"), False),
        (info("null", host="null"), False),
        (info(""), False),
        (info("https://good.example", "https://good.example"), False),
        (info("https://good.example", host=None), False),
        (info("https://good.example", host="good.example/evil"), False),
    ],
)
def test_by_default_a_page_may_connect_to_its_own_host_alone(connection: ConnectionInfo, allowed: bool) -> None:
    assert OriginPolicy().allows(connection) is allowed
    assert OriginPolicy([SAME_ORIGIN]).allows(connection) is allowed
    assert OriginPolicy(ANY_ORIGIN).allows(connection)


def test_two_hosts_are_no_host() -> None:
    twice = ConnectionInfo(
        headers=Headers([("host", "a.example"), ("host", "b.example"), ("origin", "http://a.example")])
    )
    assert own_origin(twice) is None
    assert not OriginPolicy().allows(twice)


@pytest.mark.parametrize("origin", [*LISTED, "https://APP.example.com:443", None])
def test_a_listed_origin_may_connect_and_so_may_what_is_no_browser(origin: str | None) -> None:
    assert OriginPolicy(LISTED).allows(info(*([origin] if origin else [])))


@pytest.mark.parametrize(
    "origin", ["https://good.example", "http://app.example.com", "http://localhost:3001", "null", "http://localhost"]
)
def test_a_list_replaces_the_same_origin(origin: str) -> None:
    assert not OriginPolicy(LISTED).allows(info(origin))


def test_a_list_may_name_the_same_origin() -> None:
    assert OriginPolicy([*LISTED, SAME_ORIGIN]).allows(info("https://good.example"))


@pytest.mark.parametrize(
    ("policy", "connection", "described"),
    [
        (OriginPolicy(), info(), "https://good.example"),
        (OriginPolicy(), info(host="good.example:8000", scheme="ws"), "http://good.example:8000"),
        (OriginPolicy(), info(host=None), "none"),
        (OriginPolicy([]), info(), "none"),
        (OriginPolicy(LISTED), info(), "http://localhost:3000, https://[::1]:8443, https://app.example.com"),
        (OriginPolicy(["http://a.example", SAME_ORIGIN]), info(), "http://a.example, https://good.example"),
    ],
    ids=["same origin", "with a port", "no host", "no origin", "a list", "a list and the same origin"],
)
def test_the_log_is_told_what_would_have_passed(
    policy: OriginPolicy, connection: ConnectionInfo, described: str
) -> None:
    assert policy.describe(connection) == described


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        (None, "SAME_ORIGIN, ANY_ORIGIN or a list of origins, not NoneType"),
        (5, "not int"),
        (NOT_GIVEN, "NOT_GIVEN is none of SAME_ORIGIN and ANY_ORIGIN"),
        ("https://a.example", r"not one string: \['https://a.example'\]"),
        (["*"], "instead of '\\*' say allowed_origins=ANY_ORIGIN"),
        (["a.example"], "'a.example' is no origin; write scheme, host and port only"),
        (["https://a.example/"], "is no origin"),
        ([ANY_ORIGIN], "ANY_ORIGIN is no origin"),
        ([b"https://a.example"], "is no origin"),
    ],
    ids=range(9),
)
def test_a_list_with_something_else_is_refused_with_the_way_out(allowed: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OriginPolicy(allowed)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", ("https", "a.example", 443)),
        ("http://a.example", ("http", "a.example", 80)),
        ("HTTP://A.Example:8080", ("http", "a.example", 8080)),
        ("http://127.0.0.1:65535", ("http", "127.0.0.1", 65535)),
        ("https://[2001:DB8::1]", ("https", "2001:db8::1", 443)),
        ("https://my_host-1", ("https", "my_host-1", 443)),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: tuple[str, str, int]) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "*",
        "https://",
        "https://:443",
        "//a.example",
        "a.example",
        "ws://a.example",
        "file://",
        "https://a.example/",
        "https://a.example?",
        "https://a.example#",
        "https://a.example:",
        "https://u@a.example",
        "https://a.example:65536",
        "https://a.example:٤٤٣",
        "https://a.example:-1",
        "https://[::1",
        "https://a.example\n",
        " https://a.example",
        "\0https://a.example",
        "https://a\\b",
        "https://a%2eb",
        "https://\u017f.example",
        "http\u017f://a",
    ],
)
def test_what_no_browser_sends_is_no_origin(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.example.com", True),
        ("https://a.b.example.com", True),
        ("HTTPS://A.Example.com:443", True),
        ("https://example.com", False),
        ("http://a.example.com", False),
        ("https://a.example.com:8443", False),
        ("https://evilexample.com", False),
        ("https://a.example.com.evil.example", False),
        ("https://a.example.com.", False),
        ("http://a.example.com:8080", True),
        ("https://pr-12.preview.example", True),
        ("https://pr-12.preview.example.evil", False),
        ("https://pr-x.preview.example", False),
        ("null", False),
    ],
)
def test_subdomains_and_patterns(origin: str, allowed: bool) -> None:
    patterns = ["https://*.example.com", "http://*.example.com:8080", re.compile(r"https://pr-\d+\.preview\.example")]
    policy = OriginPolicy(patterns)
    assert policy.allows(info(origin)) is allowed
    assert policy.describe(info()) == (
        r"http://*.example.com:8080, https://*.example.com, /https://pr-\d+\.preview\.example/"
    )


@pytest.mark.parametrize("policy", [SAME_ORIGIN, ANY_ORIGIN, ["https://good.example"]], ids=["same", "any", "listed"])
def test_who_sends_no_origin_may_be_refused(policy: Any) -> None:
    required = OriginPolicy(policy, required=True)
    assert not required.allows(info())
    assert required.allows(info("https://good.example"))


@pytest.mark.parametrize("entry", ["https://*", "https://*.", "https://a.*.example", "https://**.example", "*.example"])
def test_a_wildcard_stands_for_whole_subdomains(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"or https://\*\.example\.com for all its subdomains"):
        OriginPolicy([entry])


@pytest.mark.parametrize("host", ["bücher.example", "bücher.example:80"])
def test_a_host_that_the_server_made_unicode_is_the_one_that_came_in_punycode(host: str) -> None:
    def own(value: str) -> object:
        return own_origin(ConnectionInfo(headers=Headers({"host": value})))

    assert own(host.encode().decode("latin-1")) == ("http", "xn--bcher-kva.example", 80)
    # What is no UTF-8, and what is no name.
    assert own(host.encode("latin-1").decode("latin-1")) is None
    assert own("ü..example".encode().decode("latin-1")) is None
