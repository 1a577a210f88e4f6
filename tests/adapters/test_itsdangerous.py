"""Signed tokens of the application's own: what is issued comes back, and nothing else does."""

import itertools
import json
import logging
import time
from typing import Any
from uuid import UUID

import itsdangerous
import pytest

from tests.interpreter import import_error
from wsproto_core import AUTHENTICATE_LATER, ConfigurationError, ConnectionInfo, Identity, Limits, Problem, Registry
from wsproto_core.security import NOT_GIVEN, identity_document
from wsproto_core.testing import Refused, connect
from wsproto_itsdangerous import SignedTokenAuthenticator

SECRET = "a secret of sixteen bytes or more"
OTHER = "another secret of many bytes"
ADA = Identity("ada")


def authenticator(secret: Any = SECRET, **options: Any) -> SignedTokenAuthenticator:
    return SignedTokenAuthenticator(secret, **{"max_age": 60, **options})


def ask(asked: SignedTokenAuthenticator, given: str | None, source: Any = "bearer") -> object:
    return asked(ConnectionInfo(token=given, source=source if given is not None else None))


def refused(asked: SignedTokenAuthenticator, given: str | None, source: Any = "bearer") -> None:
    with pytest.raises(Problem) as raised:
        ask(asked, given, source)
    assert raised.value.code == "unauthenticated"
    assert not given or given not in json.dumps(raised.value.to_dict())
    assert raised.value.__cause__ is None


@pytest.fixture
def ages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let tokens be signed so many seconds ago."""

    def sign(seconds: int) -> None:
        then = int(time.time()) - seconds
        monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda _: then)

    return lambda seconds: sign(seconds) if seconds else monkeypatch.undo()


@pytest.mark.parametrize("user", [17, "ada", UUID(int=7), None])
@pytest.mark.parametrize("source", ["bearer", "subprotocol", "query", "message"])
def test_what_is_issued_comes_back(user: Any, source: Any) -> None:
    asked = authenticator()
    given = Identity(user, scopes=frozenset({"read", "write"}), state={"tenant": "ż"})
    found = ask(asked, asked.issue(given), source)
    assert isinstance(found, Identity)
    assert (found.user_id, found.scopes, found.state) == (given.user_id, given.scopes, given.state)
    assert type(found.user_id) is type(user)
    assert found.expires_at == pytest.approx(time.time() + 60, abs=3)


def test_the_end_is_that_of_the_token_or_of_the_identity_whichever_is_first() -> None:
    asked, soon = authenticator(), time.time() + 5
    for ends, expected in ((soon, soon), (time.time() + 999, time.time() + 60)):
        found = ask(asked, asked.issue(Identity(1, expires_at=ends)))
        assert isinstance(found, Identity)
        assert found.expires_at == pytest.approx(expected, abs=2)


def test_a_token_may_travel_as_a_subprotocol() -> None:
    token = authenticator().issue(Identity("ż" * 500, state={"?": "~/+="}))
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_token_ends_with_its_age_and_none_is_of_the_future(ages: Any) -> None:
    asked = authenticator(max_age=60.5)
    for seconds, good in ((59, True), (63, False), (-30, False)):
        ages(seconds)
        token = asked.issue(ADA)
        ages(0)
        if good:
            assert isinstance(ask(asked, token), Identity)
        else:
            refused(asked, token)


def test_whatever_is_changed_in_a_token_spoils_it() -> None:
    asked = authenticator()
    token = asked.issue(ADA)
    for at in range(len(token) - 1):  # the last character may differ in bits that carry nothing
        refused(asked, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])
    for at in range(0, len(token) - 1, 7):
        refused(asked, token[:at])


@pytest.mark.parametrize(
    "token", ["", "hello", "a.b.c", "...", "ą.ą.ą", "\ud800", "." * 10_000, "x" * 1_000_000], ids=itertools.count()
)
def test_what_is_no_token_is_refused(token: str) -> None:
    refused(authenticator(optional=True), token)


def test_what_was_signed_for_something_else_is_refused() -> None:
    asked = authenticator()
    refused(asked, authenticator(OTHER).issue(ADA))
    refused(asked, authenticator(salt="password reset").issue(ADA))
    plain = itsdangerous.URLSafeSerializer(SECRET, salt="wsproto")
    refused(asked, plain.dumps(identity_document(ADA)))


@pytest.mark.parametrize(
    "document",
    [None, [], 17, {}, {"user": 1}, {"user": ["str", ""]}, {"user": ["uuid", "x"]}, {"user": ["list", []]}],
    ids=itertools.count(),
)
def test_what_is_signed_and_no_identity_is_refused(document: Any) -> None:
    asked = authenticator()
    if isinstance(document, dict):
        document = {"expires_at": None, "scopes": [], "state": {}, **document}
    refused(asked, asked._serializer.dumps(document))


def test_secrets_are_exchanged_one_after_the_other() -> None:
    before, between, after = authenticator(SECRET), authenticator([SECRET, OTHER]), authenticator([OTHER])
    assert isinstance(ask(between, before.issue(ADA)), Identity)
    assert isinstance(ask(after, between.issue(ADA)), Identity)
    refused(after, before.issue(ADA))


def test_without_a_token_or_with_a_password_it_is_as_configured() -> None:
    token = authenticator().issue(ADA)
    for given, source in ((None, None), (token, "basic"), (token, "ticket")):
        refused(authenticator(), given, source)
        assert ask(authenticator(later=True), given, source) is AUTHENTICATE_LATER
        assert ask(authenticator(optional=True), given, source) == Identity(None)


def test_only_what_json_can_carry_is_issued() -> None:
    asked = authenticator()
    with pytest.raises(TypeError, match="for somebody"):
        asked.issue(AUTHENTICATE_LATER)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        asked.issue(Identity(1, state={"a": object()}))
    with pytest.raises(ValueError, match="JSON compliant"):
        asked.issue(Identity(1, state={"a": float("nan")}))


@pytest.mark.parametrize(
    ("secret", "options", "message"),
    [
        ("", {}, "secret_key is empty"),
        ([], {}, "secret_key is empty"),
        ("short", {}, "secret_key has 5 bytes"),
        ([SECRET, "short"], {}, "secret_key has 5 bytes"),
        (None, {}, "secret_key must be a str or bytes, not NoneType"),
        (SECRET, {"salt": ""}, "salt is a text"),
        (SECRET, {"salt": None}, "salt is a text"),
        (SECRET, {"max_age": 0}, "max_age is a number of seconds above 0"),
        (SECRET, {"max_age": float("inf")}, "max_age is a number"),
        (SECRET, {"max_age": "60"}, "max_age is a number"),
        (SECRET, {"max_age": True}, "max_age is a number"),
        (SECRET, {"optional": True, "later": True}, "choose one"),
    ],
    ids=itertools.count(),
)
def test_a_mistake_is_told_at_once_with_the_way_out(secret: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        authenticator(secret, **options)
    assert "short" not in str(raised.value)


async def test_a_connection_is_opened_renewed_and_never_handed_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = authenticator(later=True)
    options: Any = {"registry": Registry(), "authenticate": asked, "user_id": NOT_GIVEN}
    bad, eve, forged = authenticator(OTHER).issue(ADA), asked.issue("eve"), asked.issue(ADA)[:-5]
    async with connect(token=asked.issue(ADA), **options) as client:
        renewed = await client.call("ws.authenticate", {"token": asked.issue(ADA)})
        assert renewed.problem is None
        assert renewed.events[0].payload["user_id"] == "ada"
        for given, code in ((bad, "unauthenticated"), (forged, "unauthenticated"), (eve, "forbidden")):
            answer = await client.call("ws.authenticate", {"token": given})
            assert answer.problem is not None
            assert answer.problem.code == code
            assert given not in answer.problem.model_dump_json()
    with pytest.raises(Refused) as denied:
        async with connect(token=bad, **options):
            pass
    assert (denied.value.problem.code, denied.value.close_code) == ("unauthenticated", 3000)
    assert "connection refused: unauthenticated" in caplog.text
    assert not any(token in caplog.text for token in (bad, eve, forged))


async def test_the_connection_ends_with_the_token() -> None:
    asked = authenticator(max_age=2)
    options: Any = {"authenticate": asked, "limits": Limits(credential_grace=None), "user_id": NOT_GIVEN}
    async with connect(token=asked.issue(ADA), registry=Registry(), **options) as client:
        assert (await client.closed())[0] == 3000


def test_without_the_library_it_names_the_extra() -> None:
    assert import_error("wsproto_itsdangerous", without="itsdangerous") == (
        "wsproto_itsdangerous needs itsdangerous, which is not installed: pip install 'wsproto-core[itsdangerous]'."
    )
