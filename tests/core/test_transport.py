from dataclasses import FrozenInstanceError

import pytest

from wsproto_core import ConnectionInfo, Headers

HEADERS = Headers([("Host", "a.example"), ("Accept", "a"), ("accept", "b"), ("Authorization", "Bearer secret")])


@pytest.mark.parametrize("name", ["accept", "Accept", "ACCEPT"])
def test_a_header_is_found_in_any_case_with_all_its_values(name: str) -> None:
    assert HEADERS[name] == HEADERS.get(name) == "a, b"
    assert HEADERS.get_all(name) == ("a", "b")
    assert name in HEADERS


def test_a_header_that_did_not_come_is_missing() -> None:
    assert "cookie" not in HEADERS
    assert 5 not in HEADERS
    assert HEADERS.get("cookie") is None
    assert HEADERS.get_all("cookie") == ()
    with pytest.raises(KeyError):
        HEADERS["cookie"]


def test_headers_are_a_mapping_of_lower_case_names() -> None:
    assert list(HEADERS) == ["host", "accept", "authorization"]
    assert len(HEADERS) == 3
    assert Headers({"Host": "a.example"}) == {"host": "a.example"}
    assert len(Headers()) == 0


def test_headers_show_no_values() -> None:
    assert repr(HEADERS) == "<Headers host, accept, authorization>"


def test_a_connection_shows_no_secret_and_does_not_change() -> None:
    info = ConnectionInfo(
        query="ticket=secret", headers=HEADERS, token="secret", source="ticket", extras={"session": "secret"}
    )
    assert "secret" not in repr(info)
    with pytest.raises(FrozenInstanceError):
        info.path = "/other"


def test_a_connection_that_told_nothing_has_the_defaults() -> None:
    info = ConnectionInfo()
    assert (info.path, info.query, dict(info.headers), info.peer, info.subprotocols) == ("/", "", {}, None, ())
    assert (info.token, info.source, info.scheme, dict(info.extras)) == (None, None, "ws", {})
