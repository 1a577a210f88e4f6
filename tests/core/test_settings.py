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


class Unreadable:
    """Has no signature that can be read, as some of what is written in C."""

    @property
    def __signature__(self) -> object:
        raise ValueError("no signature found")

    def __call__(self, *arguments: object) -> None: ...


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
        ("max_connections", "'max_connections' is one of the limits: limits=Limits(max_connections=…)."),
    ],
)
def test_an_unknown_setting_is_refused_with_the_one_that_was_meant(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.of({"require_ids": False, name: 1})
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "hook", "takes"),
    [
        ("authenticate", lambda: None, "info"),
        ("authorize_docs", lambda: None, "info"),
        ("authorize_subscribe", lambda context: True, "context, audience"),
        ("on_connect", lambda context, code: None, "context"),
        ("on_disconnect", lambda context, code, reason, more: None, "context, code, reason"),
    ],
)
def test_a_function_that_cannot_be_called_as_it_will_be_is_refused(name: str, hook: Any, takes: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} is called with \({takes}\), which .* does not take"):
        Settings.of({name: hook})


def test_a_function_whose_signature_cannot_be_read_is_taken() -> None:
    hook = Unreadable()
    assert Settings(authenticate=hook).authenticate is hook


@pytest.mark.parametrize(
    "hook",
    [lambda: None, lambda context: None, lambda context, code, reason: None, lambda *any: None],
    ids=["nothing", "the context", "all", "whatever comes"],
)
def test_on_disconnect_takes_as_much_as_it_wants(hook: Any) -> None:
    assert Settings(on_disconnect=hook).on_disconnect is hook


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
