"""What the adapters for tokens share."""

from typing import Any

import pytest

from wsproto_core import AUTHENTICATE_LATER, ConfigurationError, ConnectionInfo, Identity, Problem
from wsproto_core.bearer import BearerTokens, check_secret, invalid_token


@pytest.mark.parametrize("source", ["bearer", "subprotocol", "query", "message"])
def test_a_token_is_taken_from_where_tokens_travel(source: Any) -> None:
    assert BearerTokens("A", optional=False, later=False).of(ConnectionInfo(token="t", source=source)) == "t"


@pytest.mark.parametrize("source", ["basic", "ticket", None])
def test_a_password_and_a_ticket_are_no_tokens(source: Any) -> None:
    assert BearerTokens("A", optional=False, later=False).of(ConnectionInfo(token="t", source=source)) is None


def test_without_a_token_a_connection_is_refused_or_anonymous_or_authenticates_later() -> None:
    with pytest.raises(Problem) as refused:
        BearerTokens("A", optional=False, later=False).without()
    assert refused.value.code == "unauthenticated"
    assert BearerTokens("A", optional=True, later=False).without() == Identity(None)
    assert BearerTokens("A", optional=False, later=True).without() is AUTHENTICATE_LATER


def test_it_cannot_be_both() -> None:
    with pytest.raises(ConfigurationError, match=r"^A: .*optional=True.*later=True; choose one"):
        BearerTokens("A", optional=True, later=True)
    with pytest.raises(ConfigurationError, match="optional must be True or False, not str"):
        BearerTokens("A", optional="yes", later=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "is empty"),
        (b"", "is empty"),
        ("hunter2", "has 7 bytes"),
        (b"x" * 15, "has 15 bytes"),
        (None, "not NoneType"),
        (17, "not int"),
    ],
    ids=["text", "bytes", "short", "short bytes", "none", "number"],
)
def test_a_secret_that_can_be_guessed_is_refused_and_not_shown(secret: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^key .*{message}.*token_urlsafe") as refused:
        check_secret(secret, "key")
    assert "hunter2" not in str(refused.value)


def test_sixteen_bytes_are_enough() -> None:
    check_secret(b"x" * 16, "key")
    check_secret("ż" * 8, "key")


def test_what_is_wrong_with_a_token_is_not_told() -> None:
    assert (invalid_token().code, invalid_token().status) == ("unauthenticated", 401)
