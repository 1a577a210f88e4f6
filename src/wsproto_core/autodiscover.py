"""Imports the modules where an application declares its actions, events and recipients.

The conventions are those of beeflow-websocket: in each base package the modules ``actions``, ``events``,
``recipients`` and the same below ``ws``. A module that is not there is passed over; one that is there and fails to
import fails the start-up.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from typing import Final

from wsproto_core.errors import ConfigurationError

__all__ = ["DEFAULT_MODULES", "autodiscover", "base_packages_of", "calling_module", "check_names"]

DEFAULT_MODULES: Final = ("actions", "events", "recipients", "ws.actions", "ws.events", "ws.recipients")


def autodiscover(
    base_packages: Iterable[str], modules: Iterable[str] = DEFAULT_MODULES, packages: Iterable[str] = ()
) -> tuple[str, ...]:
    """Import the conventional modules of the base packages where they exist, and further packages that must exist.

    Args:
        base_packages: packages that may have the modules.
        modules: names below a base package.
        packages: imported with all their submodules but ``__main__``.

    Returns:
        the names of the modules that were imported or had been imported before.

    Raises:
        ModuleNotFoundError: one of ``packages`` does not exist.
        Exception: whatever a module raises when it is imported.
    """
    found: list[str] = []
    modules = tuple(modules)
    for base in base_packages:
        for module in modules:
            name = f"{base}.{module}"
            if _exists(name):
                found.extend(_import_tree(name))
    for name in packages:
        found.extend(_import_tree(name))
    return tuple(dict.fromkeys(found))


def check_names(names: object, setting: str) -> tuple[str, ...]:
    """Return module or package names as a tuple.

    Raises:
        ConfigurationError: a single string, or something that holds no names.
    """
    if names is None:
        return ()
    if isinstance(names, str):
        raise ConfigurationError(f"{setting} takes a list of names, not one string: [{names!r}].")
    if not isinstance(names, Iterable):
        raise ConfigurationError(f"{setting} takes a list of names, not {type(names).__name__}.")
    checked = []
    for name in names:
        if not isinstance(name, str):
            raise ConfigurationError(f"{setting} takes names as strings, not {type(name).__name__}.")
        if not all(part.isidentifier() for part in name.strip().split(".")):
            raise ConfigurationError(f"{setting}: {name!r} is no module name.")
        checked.append(name.strip())
    return tuple(checked)


def base_packages_of(module: str | None) -> tuple[str, ...]:
    """Return a module and its parent packages, innermost first; none for ``__main__``."""
    if not module or module == "__main__":
        return ()
    parts = module.split(".")
    return tuple(".".join(parts[:count]) for count in range(len(parts), 0, -1))


def calling_module() -> str | None:
    """Return the name of the module that called into the library: the nearest frame that is not ours."""
    names = (frame.f_globals.get("__name__") for frame, _ in traceback.walk_stack(sys._getframe(1)))
    return next((name for name in names if isinstance(name, str) and not name.startswith("wsproto_")), None)


def _exists(name: str) -> bool:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        candidate = ".".join(parts[:count])
        try:
            importlib.import_module(candidate)
        except ModuleNotFoundError as error:
            # Only this very module may be missing; one that it imports may not.
            if error.name == candidate:
                return False
            raise
    return True


def _import_tree(name: str) -> list[str]:
    module = importlib.import_module(name)
    imported = [module.__name__]
    for info in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        if info.name.endswith(".__main__"):
            continue  # to import a program is to run it
        importlib.import_module(info.name)
        imported.append(info.name)
    return imported
