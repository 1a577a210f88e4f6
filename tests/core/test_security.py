import math
from typing import Any
from uuid import UUID

import pytest

from wsproto_core import (
    ANY_ORIGIN,
    AUTHENTICATE_LATER,
    NOT_GIVEN,
    SAME_ORIGIN,
    ConfigurationError,
    Identity,
)
from wsproto_core.security import as_identity, check_user_id


@pytest.mark.parametrize("user_id", [None, 42, 0, "ada", UUID(int=1)])
def test_a_user_id_is_an_identity(user_id: int | str | UUID | None) -> None:
    assert check_user_id(user_id) == user_id
    assert as_identity(user_id) == Identity(user_id)


@pytest.mark.parametrize(
    ("user_id", "error", "message"),
    [
        (True, TypeError, "not bool"),
        (1.5, TypeError, "user_id must be an int, a str, a UUID or None"),
        (b"ada", TypeError, "not bytes"),
        (NOT_GIVEN, TypeError, "not _Marker"),
        ("", ValueError, "None is anonymous"),
        ("\ud800", ValueError, "lone surrogate"),
    ],
    ids=repr,
)
def test_what_is_no_user_id_is_refused(user_id: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_identity(user_id)
    with pytest.raises(error, match=message):
        Identity(user_id)


def test_an_identity_is_taken_as_it_is() -> None:
    identity = Identity("ada", expires_at=1.5, scopes=["read", "write"], state={"plan": "free"})
    assert as_identity(identity) is identity
    assert identity.scopes == frozenset({"read", "write"})
    assert "free" not in repr(identity)


def test_to_authenticate_later_is_no_identity_yet() -> None:
    assert as_identity(AUTHENTICATE_LATER) is None


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ({"scopes": "read"}, ConfigurationError, r"several scopes, not one string: \['read'\]"),
        ({"expires_at": "tomorrow"}, TypeError, "seconds since the epoch or None, not str"),
        ({"expires_at": True}, TypeError, "not bool"),
        ({"expires_at": math.nan}, ValueError, "must be finite"),
        ({"expires_at": math.inf}, ValueError, "None is never"),
        ({"expires_at": -math.inf}, ValueError, "must be finite"),
    ],
    ids=repr,
)
def test_an_identity_that_makes_no_sense_is_refused(members: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Identity("ada", **members)


@pytest.mark.parametrize("marker", [NOT_GIVEN, AUTHENTICATE_LATER, SAME_ORIGIN, ANY_ORIGIN], ids=repr)
def test_a_marker_shows_its_name(marker: object) -> None:
    assert repr(marker) in {"NOT_GIVEN", "AUTHENTICATE_LATER", "SAME_ORIGIN", "ANY_ORIGIN"}
