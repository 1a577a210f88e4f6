"""Emitting without a hub: from a Celery task, a cron job, a script, another service."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wsproto_core.blocking import loop_thread
from wsproto_core.closing import CloseCode
from wsproto_core.events import Event
from wsproto_core.outside import Audiences, Outgoing, disconnection_of, emission_of
from wsproto_nats.addresses import read_url
from wsproto_nats.backplane import NatsBackplane
from wsproto_nats.subjects import PREFIX

__all__ = ["AsyncNatsEmitter", "NatsEmitter"]


class AsyncNatsEmitter:
    """Emits events to the connections of all processes, from a program that has none itself.

    It connects when it is first used, and returns once the server has what is sent. `aclose` it, or use it as a context
    manager. It may be used on several event loops.

    Args:
        servers: as those of `NatsBackplane`; a single text may have its options behind ``?``.
        prefix: that of the backplane; likewise the others.
        signing_key: a key that the backplane takes.
        tls: with which servers are trusted.
        credentials: the file with the JWT and the key of the user.

    Raises:
        ConfigurationError: an argument that makes no sense.
    """

    def __init__(
        self,
        servers: str | Iterable[str] = "nats://127.0.0.1:4222",
        *,
        prefix: str | None = None,
        signing_key: str | bytes | Iterable[str | bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        credentials: str | Path | None = None,
    ) -> None:
        addresses, given_by_url = read_url(servers) if isinstance(servers, str) else (servers, dict[str, Any]())
        given: dict[str, Any] = {"prefix": prefix, "tls": tls, "credentials": credentials}
        options: dict[str, Any] = {
            "prefix": PREFIX,
            **given_by_url,
            **{name: each for name, each in given.items() if each is not None},
        }
        self._backplane = NatsBackplane(addresses, signing_key=signing_key, name="wsproto emitter", **options)

    async def emit(self, event: Event, to: Audiences | None = None, *, exclude: str | Iterable[str] = ()) -> None:
        """Emit an event.

        Args:
            event: what to send.
            to: the audience or audiences, if the event does not say it itself.
            exclude: ids of connections that do not get it.

        Raises:
            ConnectionError: the server is away.
            ValueError: the event is larger than the server takes.
            MissingAudienceError: it goes to nobody.
            TypeError: to a kind of recipient that only an application can resolve.
            UnserializableEventError: it holds what JSON cannot carry.
        """
        await self._publish(emission_of(event, to, exclude=exclude))

    async def disconnect(self, audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close every connection of an audience.

        Args:
            audience: ``user(42)``, ``room("lobby")``, ``connection(id)``.
            code: 1000, a code of `CloseCode` that may be sent, or 3000 to 4999.
            reason: at most 123 bytes of UTF-8.

        Raises:
            ConnectionError: the server is away.
            ValueError: a code that may not be sent (RFC 6455 section 7.4).
            TypeError: a kind of recipient that only an application can resolve.
        """
        await self._publish(disconnection_of(audience, code, reason))

    async def aclose(self) -> None:
        """Disconnect. What is emitted later connects again."""
        await self._backplane.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _publish(self, outgoing: Outgoing) -> None:
        channels, message = outgoing
        await self._backplane.publish_all(channels, message)


class NatsEmitter:
    """`AsyncNatsEmitter` for plain functions: each call returns once the server has what is sent.

    It works in any thread, also where an event loop runs, which it then holds up; there the other one is better.

    Args:
        servers: as those of `AsyncNatsEmitter`, and likewise the rest.
        prefix: that of the backplane.
        signing_key: a key that the backplane takes.
        tls: with which servers are trusted.
        credentials: the file with the JWT and the key of the user.

    Raises:
        ConfigurationError: an argument that makes no sense.
    """

    def __init__(
        self,
        servers: str | Iterable[str] = "nats://127.0.0.1:4222",
        *,
        prefix: str | None = None,
        signing_key: str | bytes | Iterable[str | bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        credentials: str | Path | None = None,
    ) -> None:
        self._emitter = AsyncNatsEmitter(
            servers, prefix=prefix, signing_key=signing_key, tls=tls, credentials=credentials
        )

    def emit(self, event: Event, to: Audiences | None = None, *, exclude: str | Iterable[str] = ()) -> None:
        """Emit an event; see `AsyncNatsEmitter.emit`."""
        loop_thread.run(self._emitter.emit(event, to, exclude=exclude))

    def disconnect(self, audience: Audiences, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close every connection of an audience; see `AsyncNatsEmitter.disconnect`."""
        loop_thread.run(self._emitter.disconnect(audience, code, reason))

    def close(self) -> None:
        """Disconnect. What is emitted later connects again."""
        loop_thread.run(self._emitter.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
