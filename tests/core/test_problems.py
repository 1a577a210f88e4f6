import copy
import pickle
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import ValidationError

from wsproto_core import ConfigurationError, Problem, ProblemDetails
from wsproto_core.problems import (
    HTTP_PHRASES,
    MAX_DETAIL,
    PROBLEM_TYPES,
    RESERVED_MEMBERS,
    check_problem_type_base_url,
    problem_type_uri,
    shorten,
)

ID = "123e4567-e89b-12d3-a456-426614174000"

# Protocol section 4.
TABLE = {
    "invalid_websocket_message": (400, "invalid-message"),
    "unknown_websocket_action": (400, "unknown-action"),
    "invalid_payload": (422, "invalid-payload"),
    "unauthenticated": (401, "unauthenticated"),
    "forbidden": (403, "forbidden"),
    "conflict": (409, "conflict"),
    "message_too_large": (413, "message-too-large"),
    "rate_limited": (429, "rate-limited"),
    "cancelled": (499, "cancelled"),
    "internal_error": (500, "internal-error"),
    "unavailable": (503, "unavailable"),
    "action_timeout": (504, "action-timeout"),
}


class RoomFull(Problem):
    status = 409
    code = "room_full"
    title = "Room is full"
    slug = "full"
    detail = "Nobody else gets in."
    retryable = True


def test_the_protocols_problems_are_those_of_its_table() -> None:
    assert {code: (kind.status, kind.slug) for code, kind in PROBLEM_TYPES.items()} == TABLE


@pytest.mark.parametrize("code", TABLE)
def test_a_known_code_brings_the_rest_along(code: str) -> None:
    problem, kind = Problem(code=code), PROBLEM_TYPES[code]
    assert (problem.status, problem.slug, problem.title, problem.retryable) == (
        kind.status,
        kind.slug,
        kind.title,
        kind.retryable,
    )
    assert str(problem) == kind.title


@pytest.mark.parametrize(
    ("given", "status", "code", "slug", "title"),
    [
        ({}, 500, "internal_error", "internal-error", "Internal error"),
        ({"status": 401}, 401, "unauthenticated", "unauthenticated", "Not authenticated"),
        ({"status": 404}, 404, "not_found", "not-found", "Not Found"),
        ({"status": HTTPStatus.CONFLICT}, 409, "conflict", "conflict", "Conflict with another message"),
        ({"status": 418}, 418, "error", "error", "Error"),
        ({"status": 409, "slug": "room-full"}, 409, "room_full", "room-full", "Conflict"),
        ({"status": 409, "code": "Chat.room_full!"}, 409, "Chat.room_full!", "chat-room-full", "Conflict"),
        ({"code": "conflict", "status": 410, "title": "Gone by", "slug": "gone"}, 410, "conflict", "gone", "Gone by"),
        ({"code": "room_full"}, 500, "room_full", "room-full", "Internal Server Error"),
    ],
)
def test_what_is_left_out_is_made_of_what_is_given(
    given: dict[str, Any], status: int, code: str, slug: str, title: str
) -> None:
    problem = Problem(**given)
    assert (problem.status, problem.code, problem.slug, problem.title) == (status, code, slug, title)


def test_a_subclass_says_what_its_problems_have_in_common() -> None:
    problem = RoomFull(free_at="18:00")
    assert (problem.status, problem.code, problem.slug, problem.title) == (409, "room_full", "full", "Room is full")
    assert (problem.detail, problem.retryable, problem.extensions) == (
        "Nobody else gets in.",
        True,
        {"free_at": "18:00"},
    )
    assert str(problem) == "Nobody else gets in."


def test_an_instance_may_say_otherwise() -> None:
    problem = RoomFull("Later.", status=503, code="shut", title="Shut", slug="shut", retryable=False)
    assert (problem.status, problem.code, problem.slug, problem.title) == (503, "shut", "shut", "Shut")
    assert (problem.detail, problem.retryable) == ("Later.", False)
    assert RoomFull.retryable is True


@pytest.mark.parametrize("status", [0, 200, 399, 600, True, "409", 409.0])
def test_a_status_that_is_no_error_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        Problem(status=status)


@pytest.mark.parametrize("name", sorted(RESERVED_MEMBERS - {"status", "code", "title", "detail"}))
def test_an_extension_cannot_be_called_as_a_member_of_the_protocol(name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be called {name}"):
        Problem(status=409, **{name: 1})


def test_a_text_that_is_translated_late_is_text_when_it_travels() -> None:
    class Lazy:
        def __str__(self) -> str:
            return "Pokój jest pełny"

    class Translated(Problem):
        title = Lazy()
        status = 409

    problem = Translated(Lazy())
    assert (problem.title, problem.detail) == ("Pokój jest pełny",) * 2
    assert problem.to_dict()["detail"] == "Pokój jest pełny"


def test_a_problem_survives_copy_and_pickle() -> None:
    problem = RoomFull("Later.", free_at="18:00")
    for twin in (copy.copy(problem), pickle.loads(pickle.dumps(problem))):
        assert type(twin) is RoomFull
        assert twin.to_dict() == problem.to_dict()


def test_a_problem_travels_with_a_type_of_its_own_below_the_base_url() -> None:
    document = RoomFull("Later.", free_at="18:00", hint=None).to_dict(
        msg_id=ID, req_id=ID, base_url="https://example.com/problems/", instance="/ws/"
    )
    assert list(document.items()) == [
        ("msg_id", ID),
        ("req_id", ID),
        ("type", "https://example.com/problems/full"),
        ("title", "Room is full"),
        ("status", 409),
        ("detail", "Later."),
        ("instance", "/ws/"),
        ("code", "room_full"),
        ("retryable", True),
        ("free_at", "18:00"),
    ]


def test_without_a_base_url_the_type_is_blank_and_the_title_the_phrase_of_the_status() -> None:
    assert Problem(status=409, code="room_full", title="Room is full").to_dict() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "room_full",
        "retryable": False,
    }
    assert Problem(status=418, title="Teapot").to_dict()["title"] == "Error"


def test_a_long_detail_is_shortened() -> None:
    assert Problem("x" * MAX_DETAIL).to_dict()["detail"] == "x" * 512
    assert Problem("x" * 513).to_dict()["detail"] == "x" * 511 + "…"


@pytest.mark.parametrize(("text", "short"), [("", ""), ("abc", "abc"), ("abcd", "ab…")])
def test_shorten_says_that_something_was_left_out(text: str, short: str) -> None:
    assert shorten(text, 3) == short


def test_the_phrases_are_those_of_rfc_9110_on_every_python() -> None:
    renamed = {
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        422: "Unprocessable Content",
    }
    known = {int(status): status.phrase for status in HTTPStatus if status in HTTP_PHRASES}
    assert {**known, **renamed, 499: "Client Closed Request"} == HTTP_PHRASES
    assert {kind.status for kind in PROBLEM_TYPES.values()} <= set(HTTP_PHRASES)


@pytest.mark.parametrize(
    ("base_url", "uri"),
    [
        (None, "about:blank"),
        (" ", "about:blank"),
        ("https://example.com/problems", "https://example.com/problems/full"),
        (" https://example.com/problems// ", "https://example.com/problems/full"),
        ("/", "/full"),
        ("urn:example:problems", "urn:example:problems/full"),
    ],
)
def test_a_problem_type_is_the_base_url_and_the_slug(base_url: str | None, uri: str) -> None:
    assert problem_type_uri(base_url, "/full") == problem_type_uri(base_url, "full") == uri


@pytest.mark.parametrize(
    ("value", "used"),
    [
        (None, None),
        ("", None),
        (" \n", None),
        ("https://example.com/problems/", "https://example.com/problems"),
        (" http://example.com ", "http://example.com"),
        ("/problems", "/problems"),
        ("/", "/"),
        ("tag:example.com,2024:problems", "tag:example.com,2024:problems"),
    ],
)
def test_the_base_url_is_used_without_white_space_and_last_slash(value: str | None, used: str | None) -> None:
    assert check_problem_type_base_url(value) == used


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "a string or None, not int"),
        ("example.com/problems", "must begin with https:// or http://, not 'example.com/problems'"),
        ("https://", "must begin with https://"),
        ("https://example.com/a b", "without white space"),
        ("https://example.com/zażółć", "ASCII"),
    ],
)
def test_a_base_url_that_is_no_url_is_refused(value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_problem_type_base_url(value)


def test_problem_details_read_what_a_problem_wrote() -> None:
    document = RoomFull(free_at="18:00").to_dict(msg_id=ID, base_url="https://example.com", instance="/ws/")
    details = ProblemDetails.model_validate(document)
    assert details.to_dict() == document
    assert details.model_extra == {"retryable": True, "free_at": "18:00"}
    assert details.media_type == "application/problem+json"


def test_problem_details_leave_out_what_is_null() -> None:
    details = ProblemDetails(title="Conflict", status=409, code="conflict", hint=None)
    assert details.to_dict() == {"type": "about:blank", "title": "Conflict", "status": 409, "code": "conflict"}


@pytest.mark.parametrize(
    "member",
    [
        {"status": 399},
        {"status": 600},
        {"title": ""},
        {"code": ""},
        {"type": ""},
        {"detail": "x" * 513},
        {"msg_id": "1"},
    ],
)
def test_problem_details_refuse_what_is_no_problem(member: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProblemDetails.model_validate({"title": "Conflict", "status": 409, "code": "conflict", **member})
