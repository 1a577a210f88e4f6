from dataclasses import FrozenInstanceError, fields
from typing import Any, get_type_hints

import pytest

from wsproto_core import (
    ANY_ORIGIN,
    SAME_ORIGIN,
    ConfigurationError,
    HubOptions,
    Limits,
    MemoryBackplane,
    Presence,
    Registry,
    Router,
    Settings,
    default_registry,
)
from wsproto_core.autodiscover import DEFAULT_MODULES
from wsproto_core.presence import MemoryPresenceStore


def test_the_defaults() -> None:
    settings = Settings()
    assert {each.name: getattr(settings, each.name) for each in fields(settings)} == {
        "registry": default_registry,
        "problem_type_base_url": None,
        "autodiscover": True,
        "autodiscover_modules": DEFAULT_MODULES,
        "autodiscover_packages": (),
        "backplane": "memory://",
        "presence": None,
        "require_ids": True,
        "allowed_origins": SAME_ORIGIN,
        "authenticate": None,
        "authorize_subscribe": None,
        "client_wildcards": False,
        "require_origin": False,
        "tickets": None,
        "query_token": None,
        "limits": Limits(),
        "allow_broadcast": False,
        "on_connect": None,
        "on_disconnect": None,
        "install_signal_handlers": True,
        "asyncapi_url": "/asyncapi.json",
        "docs_url": "/asyncapi",
        "problem_pages_url": None,
        "authorize_docs": None,
        "title": None,
        "version": None,
        "description": None,
        "terms_of_service": None,
        "contact": None,
        "license": None,
        "servers": {},
        "sockets": None,
    }


def test_the_keyword_arguments_of_the_hosts_are_the_settings() -> None:
    assert set(get_type_hints(HubOptions)) == {each.name for each in fields(Settings)}


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("problem_type_base_url", "https://example.com/problems/", "https://example.com/problems"),
        ("autodiscover_modules", ["actions", " ws.actions "], ("actions", "ws.actions")),
        ("autodiscover_packages", None, ()),
        ("allowed_origins", ["https://example.com"], ("https://example.com",)),
        ("allowed_origins", (each for each in ["https://example.com"]), ("https://example.com",)),
        ("allowed_origins", ANY_ORIGIN, ANY_ORIGIN),
        ("authenticate", len, len),
        ("backplane", "memory://shop", "memory://shop"),
    ],
    ids=["base url", "modules", "no packages", "origins", "generated origins", "any origin", "hook", "backplane"],
)
def test_a_setting_is_kept_in_the_form_in_which_it_is_used(name: str, given: Any, kept: object) -> None:
    assert getattr(Settings.of({name: given}), name) == kept


@pytest.mark.parametrize("registry", [Registry(), Router(prefix="chat.")])
def test_a_registry_of_ones_own_is_used(registry: Router) -> None:
    assert Settings(registry=registry).registry is registry


def test_a_backplane_of_ones_own_is_used() -> None:
    backplane = MemoryBackplane("shop")
    assert Settings(backplane=backplane).backplane is backplane


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("registry", {}, "registry must be a Registry, not dict"),
        ("problem_type_base_url", "problems", "problem_type_base_url must begin with https://"),
        *(
            (name, "yes", f"{name} must be True or False, not 'yes'")
            for name in ("autodiscover", "require_ids", "require_origin", "client_wildcards", "allow_broadcast")
        ),
        (
            "autodiscover_modules",
            "actions",
            r"autodiscover_modules takes a list of names, not one string: \['actions'\]",
        ),
        ("autodiscover_packages", [5], "autodiscover_packages takes names as strings, not int"),
        *(
            (name, "later", f"{name} must be a function or None, not str")
            for name in ("authenticate", "authorize_subscribe", "on_connect", "on_disconnect")
        ),
        ("limits", {"inbox": 1}, r"limits must be a Limits\(...\), not dict"),
        ("allowed_origins", None, "allowed_origins must be SAME_ORIGIN, ANY_ORIGIN or a list of origins, not NoneType"),
        ("allowed_origins", "https://example.com", r"not one string: \['https://example.com'\]"),
        ("allowed_origins", ["*"], "ANY_ORIGIN"),
        ("tickets", "yes", r"tickets must be a Tickets\(\) or None, not str"),
        ("query_token", "", "query_token is the name of a query parameter or None, not ''"),
        ("query_token", True, "not True"),
        ("backplane", "carrier://localhost", "the scheme 'carrier' is unknown"),
        ("backplane", None, "not NoneType"),
        ("presence", "yes", r"presence must be True, False, None or a Presence\(...\), not str"),
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_name(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Settings.of({name: value})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("allowed_origin", "There is no setting 'allowed_origin'. Did you mean 'allowed_origins'?"),
        ("xyz", "There is no setting 'xyz'. There are: registry, "),
    ],
)
def test_an_unknown_setting_is_refused_with_the_one_that_was_meant(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.of({"require_ids": False, name: 1})
    assert str(refusal.value).startswith(message)


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().require_ids = False


class Silent:
    """A backplane whose engine keeps nothing."""

    async def start(self, receiver: object) -> None: ...
    async def stop(self) -> None: ...
    async def subscribe(self, topic: str) -> None: ...
    async def unsubscribe(self, topic: str) -> None: ...
    async def publish(self, topic: str, message: bytes) -> None: ...


@pytest.mark.parametrize("presence", [True, Presence()], ids=["switched on", "configured"])
def test_presence_needs_an_engine_that_keeps_it_or_a_store(presence: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Presence\(store=…\)"):
        Settings(backplane=Silent(), presence=presence)


@pytest.mark.parametrize(
    ("backplane", "presence"),
    [
        ("memory://", True),
        ("memory://shop", True),
        (Silent(), None),
        (Silent(), False),
        (Silent(), Presence(store=MemoryPresenceStore())),
    ],
    ids=["one process", "memory", "by default", "off", "store"],
)
def test_presence_is_where_somebody_keeps_it(backplane: Any, presence: Any) -> None:
    assert Settings(backplane=backplane, presence=presence).presence is presence
