import _thread
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from wsproto_core import ConfigurationError
from wsproto_core.autodiscover import DEFAULT_MODULES, autodiscover, base_packages_of, calling_module, check_names

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules which can be imported, and forgets them after the test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def write_modules(*names: str, **sources: str) -> None:
        for name, source in {**dict.fromkeys(names, ""), **sources}.items():
            path = tmp_path / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)

    yield write_modules
    for name in set(sys.modules) - before:
        del sys.modules[name]


SHOP = ("shop.__init__", "shop.actions", "shop.ws.__init__", "shop.ws.events", "shop.models", "shop.cart.__init__")


def test_the_conventional_modules_are_imported_and_nothing_else(write: Write) -> None:
    write(*SHOP, "shop.cart.recipients")
    assert autodiscover(["shop", "shop.cart", "nowhere"]) == ("shop.actions", "shop.ws.events", "shop.cart.recipients")
    assert {"shop.models", "shop.events"}.isdisjoint(sys.modules)


def test_the_conventions_are_those_of_beeflow_websocket() -> None:
    assert DEFAULT_MODULES == ("actions", "events", "recipients", "ws.actions", "ws.events", "ws.recipients")


def test_a_module_may_be_a_package_and_is_imported_as_a_whole(write: Write) -> None:
    write(
        "shop.__init__",
        "shop.actions.__init__",
        "shop.actions.chat",
        "shop.actions.admin.__init__",
        "shop.actions.admin.kick",
    )
    assert autodiscover(["shop"], iter(["actions"])) == (
        "shop.actions",
        "shop.actions.admin",
        "shop.actions.admin.kick",
        "shop.actions.chat",
    )


def test_what_was_imported_before_is_named_and_not_imported_again(write: Write) -> None:
    write("shop.__init__", **{"shop.actions": "import builtins; builtins.times = getattr(builtins, 'times', 0) + 1"})
    try:
        assert autodiscover(["shop", "shop"]) == autodiscover(["shop"]) == ("shop.actions",)
        assert vars(sys.modules["builtins"])["times"] == 1
    finally:
        del sys.modules["builtins"].times


def test_a_base_may_be_a_single_module_without_any(write: Write) -> None:
    write("app")
    assert autodiscover(["app"]) == ()


def test_further_packages_are_imported_with_all_their_submodules_but_programs(write: Write) -> None:
    write(
        "plugins.__init__",
        "plugins.a",
        "plugins.deep.__init__",
        "plugins.deep.b",
        "single",
        **{"plugins.__main__": "raise SystemExit(5)"},
    )
    assert autodiscover([], packages=["plugins", "single"]) == (
        "plugins",
        "plugins.a",
        "plugins.deep",
        "plugins.deep.b",
        "single",
    )


def test_a_package_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        autodiscover([], packages=["nowhere"])


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import a_module_that_is_not_installed", ModuleNotFoundError),
        ("from shop import nothing", ImportError),
        ("raise RuntimeError('on purpose')", RuntimeError),
        ("def", SyntaxError),
    ],
)
@pytest.mark.parametrize("name", ["shop.actions", "shop.actions.chat", "shop.actions.admin.__init__", "shop.__init__"])
def test_a_module_that_is_there_and_broken_fails_the_start(
    write: Write, name: str, source: str, error: type[Exception]
) -> None:
    write("shop.__init__")
    if name.startswith("shop.actions."):
        write("shop.actions.__init__")
    write(**{name: source})
    with pytest.raises(error):
        autodiscover(["shop"])


@pytest.mark.parametrize(
    ("names", "checked"),
    [(None, ()), ([], ()), (("a", " b.c "), ("a", "b.c")), (iter(["ws.actions"]), ("ws.actions",)), ({"a": 1}, ("a",))],
    ids=["none", "empty", "tuple", "iterator", "keys"],
)
def test_names_are_kept_as_a_tuple(names: object, checked: tuple[str, ...]) -> None:
    assert check_names(names, "modules") == checked


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("actions", r"modules takes a list of names, not one string: \['actions'\]"),
        (5, "modules takes a list of names, not int"),
        ([5], "modules takes names as strings, not int"),
        (["a", ""], "modules: '' is no module name"),
        ([".actions"], "'.actions' is no module name"),
        (["a b"], "'a b' is no module name"),
        (["a/b.py"], "is no module name"),
    ],
    ids=str,
)
def test_what_is_no_name_is_refused(names: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_names(names, "modules")


@pytest.mark.parametrize(
    ("module", "packages"),
    [(None, ()), ("", ()), ("__main__", ()), ("app", ("app",)), ("shop.api.app", ("shop.api.app", "shop.api", "shop"))],
)
def test_the_base_packages_of_a_module_are_it_and_its_parents(module: str | None, packages: tuple[str, ...]) -> None:
    assert base_packages_of(module) == packages


def test_the_calling_module_is_the_first_that_is_not_ours(write: Write) -> None:
    write(
        "shop.__init__",
        **{
            "wsproto_pretended": "from wsproto_core.autodiscover import calling_module\nask = lambda: calling_module()",
            "shop.app": "import wsproto_pretended\ncaller = wsproto_pretended.ask()",
        },
    )
    autodiscover([], packages=["shop"])
    assert sys.modules["shop.app"].caller == "shop.app"
    assert calling_module() == __name__


def test_where_everybody_is_ours_there_is_no_calling_module() -> None:
    told: SimpleQueue[Any] = SimpleQueue()
    namespace = {"__name__": "wsproto_pretended", "calling_module": calling_module, "told": told}
    exec("def ask(): told.put(calling_module())", namespace)
    _thread.start_new_thread(namespace["ask"], ())
    assert told.get(timeout=10) is None
