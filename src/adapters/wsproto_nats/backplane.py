"""NATS as a backplane: a subject for each topic, and one connection that comes back by itself."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from wsproto_core.backplane import Receiver
from wsproto_core.errors import ConfigurationError
from wsproto_core.signing import Signer
from wsproto_core.tasks import cancel_and_wait, running_loop
from wsproto_nats.addresses import Address, Login, addresses_of, read_url
from wsproto_nats.connecting import Connector
from wsproto_nats.link import Link
from wsproto_nats.outlets import Outlets
from wsproto_nats.subjects import PREFIX, Subjects
from wsproto_nats.subscriptions import Subscription, Subscriptions

__all__ = ["NatsBackplane", "backplane_from_url"]

log = logging.getLogger("wsproto_core.backplane")

_SHORTEST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 1.0
_STEADY: Final = 2.0  # seconds after which a connection was none of those that end at once
_AT_ONCE: Final = 1_000  # subscriptions that are told again before others have their turn


class NatsBackplane:
    """Connects the hubs of all processes that use the same servers and the same prefix.

    Args:
        servers: ``nats://host:port``, with ``user:password@`` or ``token@``; several with commas, or as a list.
            They are those of one cluster, and one of them that can be reached is enough. ``tls://`` insists on TLS.
        prefix: of all subjects, to keep applications apart that share servers.
        signing_key: a key of at least 16 bytes, or several, that messages are signed with: see `Signer`. For servers
            that others write to as well.
        tls: with which servers are trusted; TLS is then insisted on.
        credentials: the file with the JWT and the key of the user; needs ``nats-py[nkeys]``.
        name: that the servers know the connection by.

    Raises:
        ConfigurationError: an argument that makes no sense.
    """

    def __init__(
        self,
        servers: str | Iterable[str | Address] = "nats://127.0.0.1:4222",
        *,
        prefix: str = PREFIX,
        signing_key: str | bytes | Iterable[str | bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        credentials: str | Path | None = None,
        name: str = "wsproto",
    ) -> None:
        if tls is not None and not isinstance(tls, ssl.SSLContext):
            raise ConfigurationError("tls: an ssl.SSLContext, such as that of wsproto_nats.addresses.tls_context.")
        login = Login(tls, None if credentials is None else str(credentials))
        self._subjects = Subjects(prefix)
        self._signer = Signer(signing_key)
        self._connector = Connector(addresses_of(servers), login, name)
        self._home: _Home | None = None
        self._outlets = Outlets(self._connector)
        self._pid = os.getpid()

    async def start(self, receiver: Receiver) -> None:
        """Connect; an engine that is away is found later."""
        self._notice_fork()
        left, self._home = self._home, None
        if left is not None:
            left.abandon()
        self._home = _Home(self._connector, self._signer, Subscriptions(self._subjects), receiver)
        await self._home.begin()

    async def stop(self) -> None:
        """Send what is left, and disconnect."""
        self._notice_fork()
        home, self._home = self._home, None
        if home is not None:
            if home.loop is running_loop():
                await home.stop()
            else:
                home.abandon()
        await self._outlets.close()

    async def subscribe(self, topic: str) -> None:
        """Begin to listen to a topic or a filter; return once the server has confirmed it, if it is there."""
        if self._home is not None:
            await self._home.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Stop listening to a topic or a filter."""
        if self._home is not None:
            self._home.unsubscribe(topic)

    async def publish(self, topic: str, message: bytes) -> None:
        """Send a message to all who listen to the topic.

        Raises:
            ConnectionError: the server is away.
            ValueError: the message is larger than the server takes.
        """
        await self.publish_all([topic], message)

    async def publish_all(self, topics: Iterable[str], message: bytes) -> None:
        """Send a message to all who listen to any of some topics.

        Where the backplane was not started, it returns once the server has confirmed it: a script may end right after.

        Raises:
            ConnectionError: the server is away.
            ValueError: the message is larger than the server takes.
        """
        self._notice_fork()
        outgoing = [(self._subjects.of(topic), self._signer.sign(topic, message)) for topic in topics]
        home = self._home
        if home is not None and home.loop is running_loop():
            for subject, signed in outgoing:
                home.publish(subject, signed)
        else:
            await self._outlets.publish(outgoing)

    def _notice_fork(self) -> None:
        """Forget the connections of the parent of this process, and leave them as they are."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            home, self._home = self._home, None
            if home is not None:
                home.abandon()
            self._outlets.abandon()


class _Home:
    """What listens, on one event loop: a connection, and the next one when that has ended."""

    def __init__(self, connector: Connector, signer: Signer, subscriptions: Subscriptions, receiver: Receiver) -> None:
        self.loop = asyncio.get_running_loop()
        self._connector = connector
        self._signer = signer
        self._subscriptions = subscriptions
        self._receiver = receiver
        self._link: Link | None = None
        self._away = False
        self._tried = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Connect, or have it tried."""
        self._life = self.loop.create_task(self._live())
        await self._tried.wait()

    async def stop(self) -> None:
        if self._link is not None:
            await self._link.settle()
        if self._life is not None:
            await cancel_and_wait(self._life)

    def abandon(self) -> None:
        """Let everything go without the loop, which has ended."""
        if self._life is not None and not self._life.done():
            # It is no mistake that it never ends.
            self._life._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        if self._link is not None:
            self._link.abandon()

    async def subscribe(self, name: str) -> None:
        if self._subscriptions.get(name) is not None:
            return
        subscription = self._subscriptions.add(name)
        link = self._link
        if link is not None and link.is_open:
            self._tell(link, subscription)
            # When the connection ends meanwhile, the next one is told.
            with suppress(ConnectionError):
                await link.confirm()

    def unsubscribe(self, name: str) -> None:
        subscription = self._subscriptions.remove(name)
        if subscription is not None and self._link is not None and self._link.is_open:
            self._link.write(subscription.end())

    def publish(self, subject: str, message: bytes) -> None:
        if self._link is None:
            raise ConnectionError("NATS is away")
        self._link.publish(subject, message)

    def _tell(self, link: Link, subscription: Subscription) -> None:
        subscription.told = link
        link.write(subscription.begin())

    async def _live(self) -> None:
        """Be connected, again and again."""
        pause = _SHORTEST_PAUSE
        while True:
            begun = self.loop.time()
            try:
                await self._be_connected()
            except Exception as error:
                if not self._away:
                    log.warning("NATS is away, and is tried again: %s", _told(error))
                self._away = True
            self._tried.set()
            if self.loop.time() - begun > _STEADY:
                pause = _SHORTEST_PAUSE
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - so that not all come at once
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _be_connected(self) -> None:
        """Connect, listen to everything that is wanted, and read until the connection ends, which raises."""
        link = await self._connector.connect(self._heard)
        reading = link.begin()
        try:
            self._link = link
            await self._listen_again(link)
            if self._away:
                self._away = False
                log.warning("NATS at %s is back", link.where)
                self._receiver.gap()
            self._tried.set()
            await reading
        except GeneratorExit:
            # The loop has ended with everything on it, and nothing can be awaited any more.
            link.abandon()
            raise
        except BaseException:
            self._link = None
            link.finish()
            await cancel_and_wait(reading)
            raise

    async def _listen_again(self, link: Link) -> None:
        told = 0
        for subscription in self._subscriptions:
            # Meanwhile others may have been added, which are told already, or removed.
            if subscription.told is not link and subscription in self._subscriptions:
                self._tell(link, subscription)
                told += 1
                if told % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        await link.confirm()

    def _heard(self, number: int, subject: bytes, payload: bytes) -> None:
        """Take a message of the server. Whatever it is, the next one is read."""
        try:
            topic = self._subscriptions.topic_of(number, subject, payload)
            if topic is None:
                return
            message = self._signer.open(topic, payload)
        except ValueError as error:
            self._receiver.malformed(f"on the subject {subject.decode(errors='replace')!r:.300}: {error}")
            return
        try:
            self._receiver(topic, message)
        except Exception:
            log.exception("a message of NATS could not be delivered")


def backplane_from_url(url: str) -> NatsBackplane:
    """Return the backplane that a URL names: ``nats://user:password@host:4222,other:4222?prefix=shop``.

    The options are ``prefix``, ``tls_ca``, ``tls_cert``, ``tls_key`` and ``credentials``; the last four are files.

    Raises:
        ConfigurationError: a URL or an option that makes no sense. It never shows a password.
    """
    addresses, options = read_url(url)
    return NatsBackplane(addresses, **options)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
