"""The drain at SIGTERM and SIGINT, for all hubs of the process at once."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakSet

from wsproto_core.closing import CloseCode
from wsproto_core.hub import Hub
from wsproto_core.signals import LoopThreadDrainSignals

__all__ = ["drain_at_exit", "post_worker_init"]

_hubs: Final[WeakSet[Hub]] = WeakSet()
_installed: Final[list[LoopThreadDrainSignals]] = []


def drain_at_exit(hub: Hub) -> None:
    """Drain a hub at SIGTERM and SIGINT, and then do what would have been done without us."""
    _hubs.add(hub)
    _install()


def post_worker_init(worker: Any) -> None:
    """Install the drain in a worker of gunicorn, for the configuration file of one that runs with ``--preload``.

    ::

        # gunicorn.conf.py
        from wsproto_flask import post_worker_init

    Without ``--preload`` it is not needed, and does no harm.
    """
    if _hubs:
        _install()


def _install() -> None:
    if not any(signals.is_installed() for signals in _installed):
        signals = LoopThreadDrainSignals.install(_drain, _has_connections, _cut)
        if signals is not None:
            _installed[:] = [signals]


def _has_connections() -> bool:
    for hub in _hubs:
        hub.gate.closed = True
    return any(hub.connections for hub in _hubs)


async def _drain() -> None:
    await asyncio.gather(*(hub.drain() for hub in list(_hubs)))


def _cut() -> None:
    for hub in _hubs:
        for session in list(hub.connections.values()):
            session.close_threadsafe(CloseCode.SERVICE_RESTART, "The server restarts.")
