"""The application's hooks, where they are plain functions: in a thread, where they may block, and see Flask's context.

Handlers are looked after by the core; these are what it would call on the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from flask import Flask

from wsproto_core.handlers import form_of
from wsproto_core.settings import Settings

__all__ = ["in_threads"]

_HOOKS: Final = ("authenticate", "authorize_subscribe", "on_connect", "on_disconnect")


def in_threads(settings: Settings, app: Flask) -> Settings:
    """Return the settings with hooks that run in threads, each in an application context of its own."""
    hooks = {name: getattr(settings, name) for name in _HOOKS}
    wrapped: dict[str, Any] = {
        name: _in_thread(hook, app) for name, hook in hooks.items() if hook is not None and not form_of(hook).is_async
    }
    return replace(settings, **wrapped)


def _in_thread(hook: Callable[..., Any], app: Flask) -> Callable[..., Any]:
    def work(*arguments: Any) -> Any:
        with app.app_context():
            return hook(*arguments)

    # The core looks at the signature, to see what a hook wants.
    @functools.wraps(hook)
    async def run(*arguments: Any) -> Any:
        context = contextvars.copy_context()
        result = await asyncio.get_running_loop().run_in_executor(None, lambda: context.run(work, *arguments))
        return await result if inspect.isawaitable(result) else result

    return run
