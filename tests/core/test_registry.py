from collections.abc import Iterator
from typing import Any

import pytest

import wsproto_core
from wsproto_core import (
    ConfigurationError,
    DuplicateNameError,
    Event,
    HandlerSignatureError,
    Problem,
    RegistrationError,
    Registry,
    ReservedNameError,
    Router,
    default_registry,
)
from wsproto_core.registry import registry_or_default


async def say() -> None: ...
async def shout() -> None: ...
async def timing(call, next): ...
async def tracing(call, next): ...
def alert() -> None: ...
def alarm() -> None: ...
def resolve(recipient_id: str) -> list[str]: ...
def resolve_otherwise(recipient_id: str) -> list[str]: ...
def to_problem(error: Exception) -> Problem: ...
def to_other_problem(error: Exception) -> Problem: ...


class Said(Event, register=False):
    event_name = "said"


class SaidOtherwise(Event, register=False):
    event_name = "said"


# What is registered, how, in which table, under which key; and something else of the same name.
KINDS: dict[str, Any] = {
    "action": (lambda to, it, **how: to.action("it", **how)(it), "actions", "it", say, shout),
    "recipient": (lambda to, it, **how: to.recipient("it", **how)(it), "recipients", "it", resolve, resolve_otherwise),
    "event handler": (lambda to, it, **how: to.event_handler("it", **how)(it), "event_handlers", "it", alert, alarm),
    "exception handler": (
        lambda to, it, **how: to.exception_handler(LookupError, **how)(it),
        "exception_handlers",
        LookupError,
        to_problem,
        to_other_problem,
    ),
    "event": (lambda to, it, **how: to.add_event(it, **how) or it, "events", "said", Said, SaidOtherwise),
}


def registered(router: Router, table: str, key: object) -> object:
    found = getattr(router, table)[key]
    return getattr(found, "function", found)


@pytest.mark.parametrize(("register", "table", "key", "it", "other"), KINDS.values(), ids=KINDS)
def test_what_is_registered_is_found_and_returned_unchanged(
    registry: Registry, register: Any, table: str, key: object, it: Any, other: Any
) -> None:
    before = registry.version
    assert register(registry, it) is it
    assert registered(registry, table, key) is it
    assert registry.version > before
    with pytest.raises(TypeError):
        getattr(registry, table)[key] = other


@pytest.mark.parametrize(("register", "table", "key", "it", "other"), KINDS.values(), ids=KINDS)
def test_nothing_is_replaced_silently(
    registry: Registry, register: Any, table: str, key: object, it: Any, other: Any
) -> None:
    register(registry, it)
    with pytest.raises(
        DuplicateNameError, match=rf"is registered already \({__name__}\.{it.__name__}\); .* pass replace=True"
    ):
        register(registry, other)
    assert registered(registry, table, key) is it
    before = registry.version
    register(registry, other, replace=True)
    assert registered(registry, table, key) is other
    assert registry.version > before


@pytest.mark.parametrize(("register", "table", "key", "it", "other"), KINDS.values(), ids=KINDS)
def test_an_included_router_collides_as_a_whole_or_replaces(
    registry: Registry, register: Any, table: str, key: object, it: Any, other: Any
) -> None:
    register(registry, it)
    router = Router()
    router.action("innocent")(say)
    register(router, other)
    with pytest.raises(DuplicateNameError):
        registry.include(router)
    assert "innocent" not in registry.actions
    assert registered(registry, table, key) is it
    registry.include(router, replace=True)
    assert registered(registry, table, key) is other


@pytest.mark.parametrize("name", ["event", "recipient", "exception handler"])
def test_the_same_thing_twice_is_no_collision(registry: Registry, name: str) -> None:
    register, table, key, it, _ = KINDS[name]
    router = Router()
    for each in (registry, registry, router):
        register(each, it)
    registry.include(router)
    registry.include(router)
    assert registered(registry, table, key) is it


def test_including_a_router_twice_needs_another_prefix(registry: Registry) -> None:
    router = Router()
    router.action("say")(say)
    registry.include(router)
    with pytest.raises(DuplicateNameError, match="'say'"):
        registry.include(router)
    registry.include(router, prefix="again.")
    assert list(registry.actions) == ["say", "again.say"]


def test_prefixes_and_tags_add_up(registry: Registry) -> None:
    inner, outer = Router(prefix="room.", tags=["room"]), Router(prefix="chat.", tags=["chat"])
    inner.action("say", tags=["say", "room"])(say)
    inner.event_handler("alert", tags=["alert"])(alert)
    inner.recipient("session")(resolve)
    inner.add_event(Said)
    inner.exception_handler(LookupError)(to_problem)
    outer.include(inner, prefix="v1.", tags=["v1"])
    registry.include(outer, prefix="app.", tags=("app", "room"))
    assert {name: (spec.name, spec.tags) for name, spec in registry.actions.items()} == {
        "app.chat.v1.room.say": ("app.chat.v1.room.say", ("app", "room", "chat", "v1", "say"))
    }
    assert {name: (spec.name, spec.tags) for name, spec in registry.event_handlers.items()} == {
        "app.chat.v1.room.alert": ("app.chat.v1.room.alert", ("room", "alert"))
    }
    assert (list(registry.recipients), list(registry.events)) == (["session"], ["said"])
    assert list(registry.exception_handlers) == [LookupError]


def test_a_routers_middlewares_stay_around_its_own_actions(registry: Registry) -> None:
    inner, outer = Router(), Router()
    inner.middleware(timing)
    inner.action("inner")(say)
    outer.middleware(tracing)
    outer.include(inner)
    outer.action("outer")(say)
    before = registry.version
    registry.include(outer)
    assert registry.version > before
    assert {name: spec.middlewares for name, spec in registry.actions.items()} == {
        "inner": (tracing, timing),
        "outer": (tracing,),
    }
    assert (registry.middlewares, registry.has_middlewares) == ((), False)


def test_middlewares_are_kept_in_their_order(registry: Registry) -> None:
    assert not registry.has_middlewares
    before = registry.version
    assert registry.middleware(timing) is timing
    registry.middleware(tracing)
    assert registry.middlewares == (timing, tracing)
    assert registry.has_middlewares
    assert registry.version == before + 2


async def one_parameter(call): ...
def no_coroutine(call, next): ...


@pytest.mark.parametrize(
    ("function", "message"),
    [(one_parameter, "two parameters"), (no_coroutine, "an async function"), (5, "an async function")],
)
def test_what_is_no_middleware_is_refused(registry: Registry, function: Any, message: str) -> None:
    with pytest.raises(HandlerSignatureError, match=message):
        registry.middleware(function)
    assert registry.middlewares == ()


def test_a_function_is_added_without_a_decorator(registry: Registry) -> None:
    spec = registry.add_action("say", say, timeout=5)
    assert registry.actions["say"] is spec
    assert spec.timeout == 5
    registry.add_recipient("session", resolve)
    assert registry.recipients["session"] is resolve


@pytest.mark.parametrize("kind", ["websocket", "user", "room", "topic", "everyone"])
def test_a_built_in_recipient_stays_as_it_is(registry: Registry, kind: str) -> None:
    with pytest.raises(ReservedNameError, match="built in"):
        registry.recipient(kind, replace=True)(resolve)


@pytest.mark.parametrize(
    ("register", "error", "message"),
    [
        (lambda registry: registry.add_action("x", 5), HandlerSignatureError, "action 'x': 5 cannot be called"),
        (lambda registry: registry.add_recipient("x", 5), HandlerSignatureError, "recipient 'x': 5 cannot be called"),
        (lambda registry: registry.action("ws.say")(say), ReservedNameError, "'ws.say'"),
        (lambda registry: registry.event_handler("")(alert), RegistrationError, "Event handler names"),
        (lambda registry: registry.recipient(" x")(resolve), RegistrationError, "Recipient names"),
        (
            lambda registry: registry.exception_handler(BaseException)(to_problem),
            RegistrationError,
            "subclass of Exception",
        ),
        (
            lambda registry: registry.exception_handler(ValueError("x"))(to_problem),
            RegistrationError,
            "subclass of Exception",
        ),
        (lambda registry: registry.action(say), RegistrationError, r'write @action\("say"\)'),
        (lambda registry: registry.recipient(resolve), RegistrationError, r'write @recipient\("resolve"\)'),
        (lambda registry: registry.event_handler(alert), RegistrationError, r'write @event_handler\("alert"\)'),
        (lambda registry: registry.include(registry), RegistrationError, "cannot include itself"),
        (lambda registry: registry.include(Router(), prefix=" "), RegistrationError, "A prefix is"),
        (lambda registry: registry.include(Router(), tags="chat"), ConfigurationError, "tags takes a list"),
        (lambda registry: Router(tags="chat"), ConfigurationError, "tags takes a list"),
        (lambda registry: registry.event_handler("x", tags="chat")(alert), ConfigurationError, "tags takes a list"),
    ],
    ids=range(15),
)
def test_what_cannot_be_registered_is_refused(
    registry: Registry, register: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        register(registry)
    assert repr(registry) == "<Registry 0 actions, 0 events>"


def test_a_prefix_that_makes_a_reserved_name_is_refused(registry: Registry) -> None:
    router = Router()
    router.action("say")(say)
    with pytest.raises(ReservedNameError, match=r"'ws\.say'"):
        registry.include(router, prefix="ws.")


def test_something_without_a_name_can_be_taken_too(registry: Registry) -> None:
    class Resolver:
        __module__ = "shop"

        def __call__(self, recipient_id: str) -> list[str]:
            return []

    registry.add_recipient("session", Resolver())
    with pytest.raises(DuplicateNameError, match=r"\(shop\.Resolver\)"):
        registry.add_recipient("session", resolve)


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The default registry, emptied for the test and put back after it."""
    for name, value in vars(Registry()).items():
        monkeypatch.setattr(default_registry, name, value)
    yield default_registry
    monkeypatch.undo()


@pytest.mark.parametrize("given", [True, False], ids=["in a registry", "in the default registry"])
def test_the_functions_of_the_module_register_in_the_default_registry_or_another(
    default: Registry, registry: Registry, given: bool
) -> None:
    where: Any = {"registry": registry} if given else {}
    wsproto_core.action("say", timeout=5, **where)(say)
    wsproto_core.recipient("session", **where)(resolve)
    wsproto_core.event_handler("alert", summary="S", description="D", tags=["t"], **where)(alert)
    wsproto_core.exception_handler(LookupError, **where)(to_problem)
    used, unused = (registry, default) if given else (default, registry)
    assert used.actions["say"].timeout == 5
    assert used.recipients["session"] is resolve
    assert (used.event_handlers["alert"].summary, used.event_handlers["alert"].tags) == ("S", ("t",))
    assert used.exception_handlers[LookupError] is to_problem
    assert unused.version == 0


def test_a_middleware_of_the_module_is_one_of_the_default_registry(default: Registry) -> None:
    wsproto_core.middleware(timing)
    assert default.middlewares == (timing,)


@pytest.mark.parametrize("registry", [{}, Registry, "default"])
def test_what_is_no_registry_is_refused(registry: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a Registry or a Router, not"):
        registry_or_default(registry)
