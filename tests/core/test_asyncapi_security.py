import functools
from typing import Any

import pytest

from wsproto_core import ConnectionInfo, Settings, Tickets
from wsproto_core.asyncapi import Socket
from wsproto_core.asyncapi.security import WAYS, scheme_of, security_schemes
from wsproto_core.bearer import BearerTokens


def anything(info: ConnectionInfo) -> object:
    return info.token


def by_source(info: ConnectionInfo) -> object:
    return info.token if info.source in {"basic", "bearer"} else None


def by_cookie(info: ConnectionInfo) -> object:
    return info.headers.get("cookie")


class Told:
    credentials: Any = ("subprotocol",)

    def __call__(self, info: ConnectionInfo) -> object:
        return info.token


class TokenOnly(Told):
    credentials = {"bearer": {"bearerFormat": "JWT"}, "mtls": {"type": "X509"}}  # noqa: RUF012 - as users write it


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, []),
        ({"authenticate": anything}, ["bearer", "subprotocol", "message"]),
        ({"authenticate": by_source}, ["bearer", "basic"]),
        ({"authenticate": by_cookie}, ["cookie"]),
        ({"authenticate": Told()}, ["subprotocol"]),
        ({"authenticate": TokenOnly()}, ["bearer", "mtls"]),
        ({"tickets": Tickets()}, ["ticket"]),
        ({"authenticate": anything, "query_token": "key"}, ["bearer", "subprotocol", "message", "query"]),
        ({"query_token": "key"}, []),
    ],
)
def test_the_schemes_are_what_is_configured(settings: dict[str, Any], names: list[str]) -> None:
    assert list(security_schemes(Settings(**settings), ())) == names


def test_what_a_host_has_wrapped_says_what_it_takes_all_the_same() -> None:
    told = Told()

    @functools.wraps(told, assigned=())
    async def wrapper(info: ConnectionInfo) -> object:
        return told(info)

    assert list(security_schemes(Settings(authenticate=wrapper), ())) == ["subprotocol"]


def test_a_scheme_says_more_where_there_is_more() -> None:
    schemes = security_schemes(Settings(authenticate=TokenOnly(), query_token="key"), ())
    assert schemes["bearer"]["bearerFormat"] == "JWT"
    assert schemes["mtls"] == {"type": "X509"}
    assert schemes["query"]["name"] == "key"


def test_each_way_has_a_scheme_that_names_it() -> None:
    schemes = [scheme_of(way) for way in WAYS]
    assert [scheme["x-wsproto-way"] for scheme in schemes] == list(WAYS)
    assert all(scheme["description"] for scheme in schemes)


def test_what_a_host_knows_comes_after_the_settings() -> None:
    socket = Socket(security={"session": scheme_of("cookie"), "bearer": {"type": "http"}})
    schemes = security_schemes(Settings(authenticate=by_source), [socket])
    assert list(schemes) == ["bearer", "basic", "session"]
    assert schemes["bearer"]["x-wsproto-way"] == "bearer"


def test_the_adapters_for_tokens_say_what_they_take() -> None:
    tokens = BearerTokens("Tokens", optional=False, later=False)
    assert tokens.credentials(bearerFormat="JWT") == {
        "bearer": {"bearerFormat": "JWT"},
        "subprotocol": {},
        "message": {},
    }
