"""A hub's side of its backplane: what this process listens to, what it tells the others, what it hears from them.

The engine may be slow or gone. Connections wait for it only briefly, and what happens inside this process goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from wsproto_core.backplane import Backplane, Receiver
from wsproto_core.encoding import EncodedEvent
from wsproto_core.publications import Publication, channel_of, read_publication, write_publication
from wsproto_core.recipients import Audience
from wsproto_core.tasks import on_loop, start_eagerly

__all__ = ["Publisher"]

log = logging.getLogger("wsproto_core.backplane")

_PATIENCE: Final = 1.0  # seconds that a connection waits for the engine
_REMEMBERED: Final = 4_096  # publications, so that one that comes twice is delivered once


class Publisher:
    """A hub's side of its backplane. May be used on any event loop and in any thread.

    The backplane itself lives on one loop, its home: the first that needed it, and once that has ended the next.

    Args:
        backplane: that connects it to the others.
        origin: the hub's own id, so that it does not hear itself.
        wanted: says whether anybody in this process listens to a topic.
        count: counts a malformed message, or a failure of the engine.
    """

    def __init__(
        self, backplane: Backplane, origin: str, wanted: Callable[[str], bool], count: Callable[[str], None]
    ) -> None:
        self._backplane = backplane
        self._hub_id = origin
        self._wanted = wanted
        self._count = count
        self._deliver: Callable[[Publication], None] | None = None
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._home: _Home | None = None
        self._lock = threading.Lock()
        self._failing = False

    async def start(self, deliver: Callable[[Publication], None]) -> None:
        """Connect, unless that is done already.

        Args:
            deliver: takes what another hub published.
        """
        self._deliver = deliver
        await self.follow(())

    async def stop(self) -> None:
        """Disconnect. What is used later connects again."""
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            await self._run_at(home, home.stop())

    async def follow(self, topics: Iterable[str]) -> None:
        """Listen to those topics that somebody in this process listens to now, and to the others no more.

        Returns when the engine has been told, or after a second; what is left then is done later.
        """
        home, inherited = self._find_home()
        await self._run_at(home, home.follow([*inherited, *topics]))

    async def publish(self, event: EncodedEvent, audiences: tuple[Audience, ...], exclude: frozenset[str]) -> None:
        """Tell the other hubs of an event."""
        message = write_publication(event, self._origin, audiences, exclude)
        work = self._publish(dict.fromkeys(channel_of(audience) for audience in audiences), message)
        home = self._home
        if home is None or not home.is_alive():
            # Nobody is connected to this process; it may still have something to say.
            await work
        else:
            await self._run_at(home, work)

    @property
    def _origin(self) -> str:
        # A hub may have been made before the process was forked.
        return f"{self._hub_id}.{os.getpid()}"

    def _find_home(self) -> tuple[_Home, Iterable[str]]:
        """Return where the backplane lives, and the topics that have to be followed there anew."""
        with self._lock:
            home = self._home
            if home is not None and home.is_alive():
                return home, ()
            self._home = _Home(self._backplane, self._receive, self._wanted, self._note)
            return self._home, () if home is None else home.topics()

    async def _run_at(self, home: _Home, work: Coroutine[Any, Any, None]) -> None:
        if home.loop is asyncio.get_running_loop():
            await work
        elif home.is_alive():
            try:
                # The loop may end before it comes to this.
                async with asyncio.timeout(2 * _PATIENCE):
                    await on_loop(home.loop, work)
            except TimeoutError:
                log.debug("the loop of the backplane does not answer")
        else:
            work.close()

    async def _publish(self, topics: Iterable[str], message: bytes) -> None:
        try:
            for topic in topics:
                await self._backplane.publish(topic, message)
        except Exception as error:
            self._note(error)
        else:
            self._note(None)

    def _note(self, error: Exception | None) -> None:
        """Count what went wrong with the engine, and log the first of a row."""
        if error is not None:
            self._count("backplane_failures")
            if not self._failing:
                log.warning("the backplane fails; other processes are not told of events: %r", error)
        elif self._failing:
            log.warning("the backplane works again")
        self._failing = error is not None

    def _receive(self, topic: str, message: bytes) -> None:
        try:
            publication = read_publication(message)
        except ValueError as error:
            self._count("malformed_publications")
            log.warning("a malformed message on %r is skipped: %s", topic, error)
            return
        if publication.origin == self._origin or publication.id in self._heard:
            return
        self._heard[publication.id] = None
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        if self._deliver is not None:
            self._deliver(publication)


class _Home:
    """The loop that a backplane lives on, and what it listens to there. Made and used on that loop.

    What an engine is told of a topic is told by one task at a time, which asks what is wanted before each step: else
    somebody who joins while the last one leaves might be subscribed first and unsubscribed after.
    """

    def __init__(
        self,
        backplane: Backplane,
        receiver: Receiver,
        wanted: Callable[[str], bool],
        note: Callable[[Exception | None], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._backplane = backplane
        self._receiver = receiver
        self._wanted = wanted
        self._note = note
        self._starting: asyncio.Task[None] | None = None
        self._started = False
        self._listening: set[str] = set()
        self._changing: dict[str, asyncio.Task[None]] = {}

    def is_alive(self) -> bool:
        """Whether the loop runs."""
        return self.loop.is_running()

    def topics(self) -> list[str]:
        """Return what the engine was told to listen to, or is being told."""
        return list({*self._listening, *self._changing})

    async def follow(self, topics: Iterable[str]) -> None:
        """Tell the engine what is wanted of these topics; wait for that, but not for long."""
        begun = [self._connect(), *(self._change(topic) for topic in topics)]
        tasks = [task for task in begun if task is not None]
        if tasks:  # pragma: no branch - there is always one on Python 3.11, which has no eager tasks
            await asyncio.wait(tasks, timeout=_PATIENCE)

    async def stop(self) -> None:
        """Disconnect."""
        tasks = [*self._changing.values(), *([self._starting] if self._starting is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._backplane.stop()
        except Exception as error:
            self._note(error)

    def _connect(self) -> asyncio.Task[None] | None:
        """Return the task that connects, or None when that is done."""
        if not self._started and (self._starting is None or self._starting.done()):
            task = start_eagerly(self._start(), self.loop)
            self._starting = None if task.done() else task
        return self._starting

    async def _start(self) -> None:
        try:
            await self._backplane.start(self._receiver)
        except Exception as error:
            self._note(error)
        else:
            self._started = True

    def _change(self, topic: str) -> asyncio.Task[None] | None:
        """Return the task that brings the engine up to date about a topic, or None when it is."""
        task = self._changing.get(topic)
        if task is None and self._wanted(topic) != (topic in self._listening):
            task = start_eagerly(self._reconcile(topic), self.loop)
            if task.done():  # pragma: no cover - it never is on Python 3.11, which has no eager tasks
                return None
            self._changing[topic] = task
        return task

    async def _reconcile(self, topic: str) -> None:
        try:
            if self._starting is not None:  # pragma: no branch - an eager start is over by now, from Python 3.12 on
                await asyncio.wait([self._starting])
            while self._started and (wanted := self._wanted(topic)) != (topic in self._listening):
                if wanted:
                    await self._backplane.subscribe(topic)
                    self._listening.add(topic)
                else:
                    await self._backplane.unsubscribe(topic)
                    self._listening.discard(topic)
        except Exception as error:
            # Whoever joins or leaves next has it tried again.
            self._note(error)
        finally:
            self._changing.pop(topic, None)
