import re
from importlib import import_module

import pytest

from wsproto_core import errors

TREE = re.compile(r"^    (?P<branch>[│├└─ ]*)(?P<name>\w+)(?: \((?P<builtin>\w+)\))?(?: +(?P<what>\S.*))?$")


def drawn() -> dict[str, tuple[str, ...]]:
    """Return the bases of each class as the docstring of the module draws them."""
    bases: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for line in filter(TREE.match, (errors.__doc__ or "").splitlines()):
        found = TREE.match(line)
        assert found is not None
        depth = len(found["branch"]) // 4
        parent = path[depth - 1] if depth else "Exception"
        bases[found["name"]] = (parent, *([found["builtin"]] if found["builtin"] else []))
        path[depth:] = [found["name"]]
    return bases


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    real = {name: tuple(base.__name__ for base in getattr(errors, name).__bases__) for name in errors.__all__}
    assert drawn() == real


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_exported_and_documented(name: str) -> None:
    error = getattr(errors, name)
    assert getattr(import_module("wsproto_core"), name) is error
    assert error.__doc__
    assert issubclass(error, errors.WsprotoError)
