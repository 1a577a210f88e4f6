"""The drain at SIGTERM and SIGINT, for all hubs of the process at once, and whatever else has connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from wsproto_core.closing import CloseCode
from wsproto_core.hub import Hub
from wsproto_core.signals import LoopThreadDrainSignals

__all__ = ["DrainWays", "drain_at_exit", "post_worker_init"]


@dataclass(frozen=True, slots=True)
class DrainWays:
    """How something is drained. Each is called with it, and keeps no reference to it.

    Attributes:
        begin: takes no more connections, and says whether there are any; called in the main thread.
        drain: closes them; runs on the loop thread.
        cut: closes them now, whatever they do; called on the loop thread.
    """

    begin: Callable[[Any], bool]
    drain: Callable[[Any], Awaitable[None]]
    cut: Callable[[Any], None]


def _begin_hub(hub: Hub) -> bool:
    hub.gate.closed = True
    return bool(hub.connections)


def _cut_hub(hub: Hub) -> None:
    for session in list(hub.connections.values()):
        session.close_threadsafe(CloseCode.SERVICE_RESTART, "The server restarts.")


_OF_HUBS: Final = DrainWays(_begin_hub, lambda hub: hub.drain(), _cut_hub)
_owners: Final[WeakKeyDictionary[Any, DrainWays]] = WeakKeyDictionary()
_installed: Final[list[LoopThreadDrainSignals]] = []


def drain_at_exit(owner: Any, ways: DrainWays = _OF_HUBS) -> None:
    """Drain a hub at SIGTERM and SIGINT, and then do what would have been done without us.

    Args:
        owner: a hub, or what else has connections.
        ways: how it is drained, where it is no hub.
    """
    _owners[owner] = ways
    _install()


def post_worker_init(worker: Any) -> None:
    """Install the drain in a worker of gunicorn, for the configuration file of one that runs with ``--preload``.

    ::

        # gunicorn.conf.py
        from wsproto_flask import post_worker_init

    Without ``--preload`` it is not needed, and does no harm.
    """
    if _owners:
        _install()


def _install() -> None:
    if not any(signals.is_installed() for signals in _installed):
        signals = LoopThreadDrainSignals.install(_drain, _has_connections, _cut)
        if signals is not None:
            _installed[:] = [signals]


def _has_connections() -> bool:
    # Each of them is asked: none takes any more.
    begun = [ways.begin(owner) for owner, ways in list(_owners.items())]
    return any(begun)


async def _drain() -> None:
    await asyncio.gather(*(ways.drain(owner) for owner, ways in list(_owners.items())))


def _cut() -> None:
    for owner, ways in list(_owners.items()):
        ways.cut(owner)
