"""JSON Web Tokens as credentials: who is let in, and above all who is not."""

import base64
import itertools
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.interpreter import import_error
from wsproto_core import AUTHENTICATE_LATER, ConfigurationError, ConnectionInfo, Identity, Limits, Problem, Registry
from wsproto_core.security import NOT_GIVEN
from wsproto_core.testing import Refused, connect
from wsproto_jwt import JwtAuthenticator

SECRET = "a secret that is long enough for all hashes " * 2
OTHER = "another secret, which is as long as the first " * 2
RSA = rsa.generate_private_key(65537, 2048)
PEM = (
    RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


def authenticator(key: Any = SECRET, **options: Any) -> JwtAuthenticator:
    return JwtAuthenticator(key, **{"algorithms": ["HS256"], **options})


def token(key: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    now = time.time()
    return jwt.encode({"sub": "ada", "exp": int(now) + 60, **claims}, key, algorithm, headers)


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def ask(asked: JwtAuthenticator, given: str | None, source: Any = "bearer") -> object:
    return await asked(ConnectionInfo(token=given, source=source if given is not None else None))


async def refused(asked: JwtAuthenticator, given: str | None, source: Any = "bearer") -> Problem:
    with pytest.raises(Problem) as raised:
        await ask(asked, given, source)
    problem = raised.value
    assert problem.code == "unauthenticated"
    assert not given or given not in json.dumps(problem.to_dict())
    assert problem.__cause__ is None
    return problem


async def test_the_claims_become_an_identity() -> None:
    end = int(time.time()) + 60
    asked = authenticator(audience="chat", issuer=["us", "them"])
    given = token(exp=end, scope="read write", aud=["chat", "mail"], iss="us")
    assert await ask(asked, given) == Identity("ada", expires_at=end, scopes=frozenset({"read", "write"}))


@pytest.mark.parametrize("source", ["bearer", "subprotocol", "query", "message"])
async def test_a_token_counts_wherever_tokens_travel(source: Any) -> None:
    found = await ask(authenticator(), token(), source)
    assert isinstance(found, Identity)
    assert found.user_id == "ada"


async def test_the_claims_of_user_and_scopes_have_the_names_that_they_are_given() -> None:
    asked = authenticator(user_claim="uid", scopes_claim="permissions")
    found = await ask(asked, token(uid=17, permissions=["read", "write"], scope="admin"))
    assert isinstance(found, Identity)
    assert (found.user_id, found.scopes) == (17, {"read", "write"})
    without = await ask(authenticator(scopes_claim=None), token(scope="admin"))
    assert isinstance(without, Identity)
    assert without.scopes == frozenset()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (lambda: token(exp=NOW - 1), "ExpiredSignatureError"),
        (lambda: token(aud="shop"), "InvalidAudienceError"),
        (lambda: token(OTHER), "InvalidSignatureError"),
        (lambda: jwt.encode({"sub": "ada"}, SECRET), "MissingRequiredClaimError"),
        (lambda: token(algorithm="HS512"), "its algorithm is not one of HS256"),
    ],
)
async def test_the_log_says_why_at_the_level_of_debugging(
    given: Callable[[], str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="wsproto_core.security")
    told = given()
    await refused(authenticator(), told)
    assert caplog.messages == [f"a token was refused: {reason}"]
    assert told not in caplog.text


async def test_a_user_may_be_an_integer() -> None:
    assert await ask(authenticator(), token(sub=42, exp=NOW + DAY)) == Identity(42, expires_at=NOW + DAY)


async def test_the_clocks_may_be_apart_by_the_leeway_at_both_ends() -> None:
    end = int(time.time()) - 5
    assert await ask(authenticator(leeway=60), token(exp=end)) == Identity("ada", expires_at=end + 60)
    await refused(authenticator(leeway=1), token(exp=end))


NOW, DAY = int(time.time()), 86_400  # the tests may take a while to come to one
BAD: dict[str, Callable[[], str]] = {
    "empty": str,
    "no token": lambda: "hello",
    "two parts": lambda: "a.b",
    "not ASCII": lambda: "ą.ą.ą",
    "a lone surrogate": lambda: "\ud800.a.b",
    "a header nested 100,000 levels deep": lambda: (
        base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=") + ".e30.AAAA"
    ),
    "a header that is no object": lambda: f"{segment([])}.e30.AAAA",
    "an algorithm that is an object": lambda: f"{segment({'alg': {}})}.e30.AAAA",
    "another secret": lambda: token(OTHER),
    "expired": lambda: token(exp=NOW - 1),
    "not yet": lambda: token(nbf=NOW + DAY),
    "issued in the future": lambda: token(iat=NOW + DAY),
    "an audience where none is expected": lambda: token(aud="mail"),
    "no end": lambda: jwt.encode({"sub": "ada"}, SECRET),
    "no user": lambda: jwt.encode({"exp": NOW + DAY}, SECRET),
    "a user of null": lambda: token(sub=None),
    "an empty user": lambda: token(sub=""),
    "a user that is a list": lambda: token(sub=["ada"]),
    "a user that is a fraction": lambda: token(sub=1.5),
    "a user that is a truth": lambda: token(sub=True),
    "an end that is text": lambda: token(exp="tomorrow"),
    "an end that is a list": lambda: token(exp=[NOW + DAY]),
    "scopes of numbers": lambda: token(scope=[1]),
    "scopes that are an object": lambda: token(scope={"admin": True}),
    "another algorithm of the same key": lambda: token(algorithm="HS512"),
    "unsigned": lambda: jwt.encode({"sub": "ada", "exp": NOW + DAY}, None, "none"),
    "unsigned, in other letters": lambda: f"{segment({'alg': 'nOnE'})}.{segment({'sub': 'ada'})}.",
    "another header": lambda: ".".join([segment({"alg": "HS256", "kid": "x"}), *token().split(".")[1:]]),
    "another user": lambda: ".".join([token().split(".")[0], segment({"sub": "root"}), token().split(".")[2]]),
    "a cut signature": lambda: token()[:-4],
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "a critical header that nobody knows": lambda: token(headers={"crit": ["magic"], "magic": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_token_that_is_no_good_is_refused_and_nobody_is_told_why(name: str) -> None:
    problem = await refused(authenticator(optional=True), BAD[name]())
    assert problem.detail == "The token is not valid, or not any more; get a new one."


@pytest.mark.parametrize("claims", [{"aud": "mail"}, {"aud": ["mail", "news"]}, {}, {"aud": "chat", "iss": "them"}])
async def test_a_token_for_others_or_from_others_is_refused(claims: Any) -> None:
    await refused(authenticator(audience="chat", issuer="us"), token(**{"iss": "us", **claims}))


async def test_a_user_that_is_no_user_id_is_refused() -> None:
    asked = authenticator(user_claim="uid")
    for user in (True, 1.5, ["ada"], {"id": 1}, "\ud800"):
        await refused(asked, token(uid=user))


async def test_a_public_key_is_never_taken_for_a_secret() -> None:
    asked = authenticator(PEM, algorithms=["RS256"])
    assert isinstance(await ask(asked, token(RSA, "RS256")), Identity)
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment({'sub': 'root', 'exp': NOW + DAY})}"
    forged = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), PEM.encode())
    await refused(asked, f"{signed}.{base64.urlsafe_b64encode(forged).decode().rstrip('=')}")
    await refused(asked, token(rsa.generate_private_key(65537, 2048), "RS256"))


async def test_a_function_finds_the_key_and_may_be_async() -> None:
    keys = {"a": SECRET, "b": OTHER}

    def find(given: str) -> str | None:
        return keys.get(jwt.get_unverified_header(given).get("kid", ""))

    async def find_slowly(given: str) -> str | None:
        return find(given)

    for function in (find, find_slowly):
        asked = authenticator(function)
        assert isinstance(await ask(asked, token(OTHER, headers={"kid": "b"})), Identity)
        await refused(asked, token(OTHER, headers={"kid": "a"}))
        await refused(asked, token(OTHER, headers={"kid": "c"}))


async def test_a_set_of_keys_of_a_server_is_used_and_its_failures_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "a", "use": "sig", "alg": "RS256"}
    client = jwt.PyJWKClient("https://keys.example/jwks.json")
    monkeypatch.setattr(client, "fetch_data", lambda: {"keys": [jwk]})
    asked = authenticator(client.get_signing_key_from_jwt, algorithms=["RS256"])
    assert isinstance(await ask(asked, token(RSA, "RS256", headers={"kid": "a"})), Identity)
    await refused(asked, token(RSA, "RS256", headers={"kid": "b"}))

    def fail() -> None:
        raise jwt.PyJWKClientConnectionError("Fail to fetch data from the url, err: secret")

    monkeypatch.setattr(client, "fetch_data", fail)
    monkeypatch.setattr(client, "jwk_set_cache", None)
    with pytest.raises(Problem) as raised:
        await ask(asked, token(RSA, "RS256", headers={"kid": "new"}))
    assert (raised.value.code, "secret" in str(raised.value.to_dict())) == ("unavailable", False)


async def test_nobody_is_asked_for_the_key_of_what_cannot_be_a_token() -> None:
    asked: list[str] = []
    for given in ("hello", token(algorithm="HS384"), f"{segment({'alg': 'none'})}.e30."):
        await refused(authenticator(asked.append), given)
    assert asked == []


async def test_a_key_that_a_function_finds_is_as_good_as_any_or_an_error_of_the_server() -> None:
    with pytest.raises(ConfigurationError, match="is empty"):
        await ask(authenticator(lambda _: ""), token())
    with pytest.raises(ConfigurationError, match="must be a secret"):
        await ask(authenticator(lambda _: PEM), token())


async def test_without_a_token_or_with_a_password_it_is_as_configured() -> None:
    for given, source in ((None, None), (token(), "basic"), (token(), "ticket")):
        await refused(authenticator(), given, source)
        assert await ask(authenticator(later=True), given, source) is AUTHENTICATE_LATER
        assert await ask(authenticator(optional=True), given, source) == Identity(None)


@pytest.mark.parametrize(
    ("key", "options", "message"),
    [
        ("", {}, "is empty, so anybody could sign"),
        ("fifteen bytes..", {}, "has 15 bytes"),
        (None, {}, "not NoneType"),
        (SECRET, {"algorithms": []}, "algorithms is empty"),
        (SECRET, {"algorithms": "HS256"}, r"algorithms takes a list, not one string: \['HS256'\]"),
        (SECRET, {"algorithms": 256}, "algorithms is a list of names"),
        (SECRET, {"algorithms": ["none"]}, "'none' is not signed"),
        (SECRET, {"algorithms": ["HS256", "None"]}, "'none' is not signed"),
        (SECRET, {"algorithms": ["HS265"]}, "there is no algorithm 'HS265'; there are"),
        (SECRET, {"algorithms": [256]}, "there is no algorithm 256"),
        (PEM, {"algorithms": ["HS256", "RS256"]}, "must not go together"),
        (PEM, {}, "must be a secret; a public key goes with RS256"),
        (SECRET, {"algorithms": ["RS256"]}, "must be a public key"),
        (ec.generate_private_key(ec.SECP256R1()).public_key(), {"algorithms": ["RS256"]}, "must be a public key"),
        (jwt.PyJWKClient("https://keys.example"), {"algorithms": ["RS256"]}, "get_signing_key_from_jwt"),
        (SECRET, {"audience": ""}, "audience is a name or a list of names"),
        (SECRET, {"audience": []}, "audience is a name or a list of names"),
        (SECRET, {"issuer": [1]}, "issuer is a name or a list of names"),
        (SECRET, {"issuer": 1}, "issuer is a name or a list of names"),
        (SECRET, {"user_claim": ""}, "user_claim is the name of a claim"),
        (SECRET, {"user_claim": None}, "user_claim is the name of a claim"),
        (SECRET, {"scopes_claim": 1}, "scopes_claim is the name of a claim"),
        (SECRET, {"leeway": -1}, "leeway is a number of seconds"),
        (SECRET, {"leeway": "1"}, "leeway is a number of seconds"),
        (SECRET, {"optional": True, "later": True}, "choose one"),
    ],
    ids=itertools.count(),
)
def test_a_mistake_is_told_at_once_with_the_way_out_and_without_the_key(key: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        authenticator(key, **options)
    assert not key or str(key) not in str(raised.value)


async def test_a_connection_is_opened_renewed_and_never_handed_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    options: Any = {"registry": Registry(), "authenticate": authenticator(later=True), "user_id": NOT_GIVEN}
    first, second, eve = token(), token(exp=NOW + DAY), token(sub="eve")
    async with connect(token=first, **options) as client:
        renewed = await client.call("ws.authenticate", {"token": second})
        assert renewed.problem is None
        assert renewed.events[0].payload == {"user_id": "ada", "expires_at": NOW + DAY}
        for given, code in (
            (token(OTHER), "unauthenticated"),
            (eve, "forbidden"),
            (token(exp=NOW - 9), "unauthenticated"),
        ):
            answer = await client.call("ws.authenticate", {"token": given})
            assert answer.problem is not None
            assert answer.problem.code == code
            assert given not in answer.problem.model_dump_json()
    async with connect(**options) as late:
        answer = await late.call("ws.authenticate", {"token": second})
        assert answer.events[0].payload["user_id"] == "ada"
    with pytest.raises(Refused) as denied:
        async with connect(token=token(OTHER), **options):
            pass
    assert (denied.value.problem.code, denied.value.close_code) == ("unauthenticated", 3000)
    assert "connection refused: unauthenticated" in caplog.text
    assert "eyJ" not in caplog.text  # what each token begins with


async def test_the_connection_ends_with_the_token() -> None:
    options: Any = {"authenticate": authenticator(), "limits": Limits(credential_grace=None), "user_id": NOT_GIVEN}
    async with connect(token=token(exp=int(time.time()) + 2), registry=Registry(), **options) as client:
        assert (await client.closed())[0] == 3000


def test_without_the_library_it_names_the_extra() -> None:
    assert import_error("wsproto_jwt", without="jwt") == (
        "wsproto_jwt needs PyJWT, which is not installed: pip install 'wsproto-core[jwt]'."
    )


async def test_tokens_without_an_end_are_taken_where_the_application_says_so() -> None:
    endless = jwt.encode({"sub": "ada"}, SECRET)
    assert await ask(authenticator(require_exp=False), endless) == Identity("ada")
    with pytest.raises(ConfigurationError, match="require_exp is True or False, not 'no'"):
        authenticator(require_exp="no")
