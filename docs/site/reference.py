"""The reference: a block that lists names becomes what their docstrings say.

::

    ```{reference} wsproto_core
    Hub
    Stats
    ```

On GitHub such a block is a list of the names; on the site each has its signature, types, defaults and errors.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["BLOCK", "PUBLIC", "expand"]

BLOCK = re.compile(r"^```\{reference\} ([\w.]+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)

ADAPTERS = Path(__file__).parents[2] / "src/adapters"

# Everything that these modules have in `__all__` is in the reference, each name once.
PUBLIC = (
    "wsproto_core",
    "wsproto_core.testing",
    "wsproto_core.testing.conformance",
    *sorted(path.parent.name for path in ADAPTERS.glob("wsproto_*/__init__.py")),
)


def expand(block: str) -> str:
    """Return a code block as it is, or what autodoc shall say about the names that it lists."""
    found = BLOCK.fullmatch(block)
    if found is None:
        return block
    module = importlib.import_module(found[1])
    lines = [f".. currentmodule:: {found[1]}", ""]
    for name in found[2].split():
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            lines += [f".. {_directive(value)}:: {found[1]}.{name}"]
            lines += ["   :show-inheritance:"] if getattr(value, "__bases__", (object,)) != (object,) else []
            lines += [""]
        else:
            lines += _data(module, name)
    return "```{eval-rst}\n" + "\n".join(lines) + "```\n"


def _directive(value: Any) -> str:
    if not inspect.isclass(value):
        return "autofunction"
    return "autoexception" if issubclass(value, BaseException) else "autoclass"


def _data(module: ModuleType, name: str) -> list[str]:
    """Say what a constant is. autodoc would not find its docstring, which stands in the module that defines it."""
    for path in sorted(Path(str(module.__file__)).parent.glob("**/*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, said in pairwise(body):
            target = _target(statement)
            if target != name or not isinstance(said, ast.Expr) or not isinstance(said.value, ast.Constant):
                continue
            value = getattr(statement, "value", None)
            shown = isinstance(value, ast.Subscript | ast.Constant)
            lines = [f".. py:data:: {name}"]
            lines += [f"   :value: {ast.unparse(value)}"] if shown and value else []
            return [*lines, "", *(f"   {line}" for line in cleandoc(str(said.value.value)).splitlines()), ""]
    raise LookupError(f"{name} of {module.__name__} has no docstring below it.")


def _target(statement: ast.stmt) -> str | None:
    target = statement.target if isinstance(statement, ast.AnnAssign) else None
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
    return target.id if isinstance(target, ast.Name) else None
