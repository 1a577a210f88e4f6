import base64
import json

import pytest

from wsproto_core import Headers, Problem, UnserializableEventError
from wsproto_core.handshake import connection_info, path_below, problem_response
from wsproto_core.transport import ConnectionInfo


def info(*fields: tuple[str, str], offered: tuple[str, ...] = ()) -> ConnectionInfo:
    return connection_info(
        path="/ws/",
        query="ticket=1",
        headers=Headers(fields),
        offered=offered,
        peer=("127.0.0.1", 4242),
        scheme="wss",
        extras={"connection": 17},
    )


def basic(credentials: bytes) -> str:
    return f"Basic {base64.b64encode(credentials).decode()}"


def test_what_the_request_says_is_kept() -> None:
    told = info(("Host", "example.com"), offered=("chat",))
    assert (told.path, told.query, told.peer, told.scheme) == ("/ws/", "ticket=1", ("127.0.0.1", 4242), "wss")
    assert told.headers["host"] == "example.com"
    assert told.subprotocols == ("chat",)
    assert (told.token, told.source) == (None, None)
    assert told.extras == {"connection": 17}


def test_extras_cannot_be_changed_later() -> None:
    extras = {"a": 1}
    told = connection_info(path="/", query="", headers=Headers(), offered=(), peer=None, scheme="ws", extras=extras)
    extras["a"] = 2
    assert told.extras == {"a": 1}
    with pytest.raises(TypeError):
        told.extras["a"] = 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("fields", "token", "source"),
    [
        ([("Authorization", "Bearer s3cret")], "s3cret", "bearer"),
        ([("authorization", "bearer   s3cret ")], "s3cret", "bearer"),
        ([("Authorization", basic(b"ada:s3cret"))], "ada:s3cret", "basic"),
        ([("Authorization", "Bearer")], None, None),
        ([("Authorization", "Basic ")], None, None),
        ([("Authorization", "Basic ???")], None, None),
        ([("Authorization", basic(b"\xff"))], None, None),
        ([("Authorization", "Digest s3cret")], None, None),
        ([("Authorization", "Bearer one"), ("Authorization", "Bearer two")], None, None),
        ([], None, None),
    ],
    ids=[
        "bearer", "bearer in lower case", "basic", "empty bearer", "empty basic", "no base64", "no UTF-8", "digest",
        "two", "none",
    ],
)  # fmt: skip
def test_the_credential_of_the_authorization_header(
    fields: list[tuple[str, str]], token: str | None, source: str | None
) -> None:
    told = info(*fields)
    assert (told.token, told.source) == (token, source)


def test_a_token_among_the_subprotocols_comes_first() -> None:
    told = info(("Authorization", "Bearer other"), offered=("chat", "access-token", "s3cret"))
    assert (told.token, told.source) == ("s3cret", "subprotocol")
    assert told.subprotocols == ("chat", "access-token")


@pytest.mark.parametrize(
    ("path", "root_path", "below"),
    [
        ("/ws/", "", "/ws/"),
        ("/ws/", "/", "/ws/"),
        ("/api/ws/", "/api", "/ws/"),
        ("/api/ws/", "/api/", "/ws/"),
        ("/api", "/api", ""),
        ("/asyncapi", "/a", "/asyncapi"),
        ("/ws/", "/api", "/ws/"),
    ],
)
def test_a_path_below_a_mount_is_told_from_one_that_begins_with_its_letters(
    path: str, root_path: str, below: str
) -> None:
    assert path_below(path, root_path) == below


def test_a_problem_as_a_response() -> None:
    problem = Problem("Bring a token.", code="unauthenticated")
    status, headers, body = problem_response(problem, "https://example.com/problems", "/ws/")
    assert status == 401
    assert dict(headers) == {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "www-authenticate": "Bearer",
    }
    document = json.loads(body)
    assert document["type"] == "https://example.com/problems/unauthenticated"
    assert (document["instance"], document["detail"]) == ("/ws/", "Bring a token.")


def test_only_who_is_not_authenticated_is_asked_for_a_credential() -> None:
    status, headers, _ = problem_response(Problem("Not you.", code="forbidden"), None, None)
    assert status == 403
    assert "www-authenticate" not in dict(headers)


def test_a_problem_that_json_cannot_carry() -> None:
    with pytest.raises(UnserializableEventError):
        problem_response(Problem("No.", code="forbidden", ratio=float("nan")), None, None)
