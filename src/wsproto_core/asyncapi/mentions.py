"""What the code of a function mentions, found without running it: globals, its closure, and what those mention."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final, TypeVar

from wsproto_core.problems import Problem, ProblemType, problem_type_of

__all__ = ["mentioned", "problems_mentioned", "serves_socket", "serving", "texts_in"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SERVING: Final = "__wsproto_serving__"
_DEPTH: Final = 4
_MOST: Final = 200  # functions that are looked at for one


def mentioned(function: Any) -> Iterator[tuple[FunctionType, list[Any]]]:
    """Give the functions that a function reaches, itself first, each with the values that its code mentions.

    Functions of other top-level packages are not followed, unless they are in its closure: what a decorator wraps.

    Args:
        function: a function, a partial, a decorated one, an object with ``__call__``.
    """
    waiting = [(each, 0) for each in _functions_of(function)]
    package = _package_of(waiting[0][0]) if waiting else ""
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        each, depth = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        enclosed, named = list(_enclosed_by(each)), list(_named_in(each))
        yield each, [*enclosed, *named]
        if depth < _DEPTH:
            waiting += [(found, depth + 1) for value in enclosed for found in _functions_of(value)]
            others = [found for value in named for found in _functions_of(value)]
            waiting += [(found, depth + 1) for found in others if _package_of(found) == package]


def serves_socket(function: Any) -> bool:
    """Say whether the code of a function or of a class, or what it calls, mentions a function that `serving` marked.

    Args:
        function: see `mentioned`; of a class, each of its methods.
    """
    is_class = isinstance(function, type)
    targets = [each for cls in function.__mro__ for each in vars(cls).values()] if is_class else [function]
    return any(
        isinstance(value, FunctionType) and vars(value).get(_SERVING) is True
        for target in targets
        for _, values in mentioned(target)
        for value in values
    )


def serving(function: _Function) -> _Function:
    """Mark a function that serves a connection of the protocol, so that routes that call it are known by it."""
    setattr(function, _SERVING, True)
    return function


def problems_mentioned(function: Any) -> list[ProblemType]:
    """Return the kinds of problems that the code of a function names: classes of them, and ``Problem(code="…")``."""
    found: list[ProblemType] = []
    for each, values in mentioned(function):
        classes = [value for value in values if isinstance(value, type) and issubclass(value, Problem)]
        found += [kind for cls in classes if (kind := problem_type_of(cls)) is not None]
        if Problem in classes:
            found += _written_in(each)
    return list(dict.fromkeys(found))


def texts_in(function: Any) -> set[str]:
    """Return the texts and the names of attributes that the code of a function, and of its own helpers, is made of."""
    texts: set[str] = set()
    for each, _ in mentioned(function):
        for code in _codes(each.__code__):
            texts.update(code.co_names)
            texts.update(value for value in _constants(code.co_consts) if isinstance(value, str))
    return texts


def _constants(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, frozenset)):
            yield from _constants(value)
        else:
            yield value


def _functions_of(value: Any) -> list[FunctionType]:
    while isinstance(value, functools.partial):
        value = value.func
    value = inspect.unwrap(value) if callable(value) and hasattr(value, "__wrapped__") else value
    value = getattr(value, "__func__", value)
    if isinstance(value, FunctionType):
        return [value]
    call = None if isinstance(value, type) else getattr(type(value), "__call__", None)  # noqa: B004 - the function
    return [call] if isinstance(call, FunctionType) else []


def _package_of(function: FunctionType) -> str:
    return (function.__module__ or "").partition(".")[0]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _enclosed_by(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # not assigned yet


def _named_in(function: FunctionType) -> Iterator[Any]:
    for code in _codes(function.__code__):
        for name in code.co_names:
            if name in function.__globals__:
                value = function.__globals__[name]
                yield value
                if inspect.ismodule(value):
                    # `module.name`: which of the other names are its attributes cannot be told, so all of them are.
                    yield from (vars(value)[other] for other in code.co_names if other in vars(value))


def _written_in(function: FunctionType) -> Iterator[ProblemType]:
    """Give what ``Problem(code="…", status=…)`` in the source of a function says in so many words."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return  # there is no source: the interactive interpreter, a frozen program
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last_name(node.func) == Problem.__name__:
            written: dict[str, Any] = {
                keyword.arg: keyword.value.value
                for keyword in node.keywords
                if keyword.arg is not None
                and keyword.arg in {"code", "status", "title", "slug", "retryable"}
                and isinstance(keyword.value, ast.Constant)
            }
            try:
                kind = problem_type_of(Problem(**written))
            except (ValueError, TypeError):
                continue
            if kind is not None:
                yield kind


def _last_name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
