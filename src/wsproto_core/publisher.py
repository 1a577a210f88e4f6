"""A hub's side of its backplane: what this process listens to, what it tells the others, what it hears from them.

The engine may be slow or gone. Connections wait for it only briefly, and what happens inside this process goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from wsproto_core.backplane import Backplane
from wsproto_core.continuity import Numbering
from wsproto_core.encoding import EncodedEvent
from wsproto_core.errors import ConfigurationError
from wsproto_core.presence import Present
from wsproto_core.publications import (
    numbered,
    write_disconnection,
    write_presence_change,
    write_publication,
)
from wsproto_core.reception import Ears, Reception
from wsproto_core.recipients import Audience
from wsproto_core.routes import channel_of, presence_channel
from wsproto_core.tasks import cancel_and_wait, on_loop, start_eagerly

__all__ = ["Publisher"]

log = logging.getLogger("wsproto_core.backplane")

_T = TypeVar("_T")

_PATIENCE: Final = 0.8  # seconds that is waited for an engine that is silent, however much it is asked meanwhile


class Publisher:
    """A hub's side of its backplane. May be used on any event loop and in any thread.

    The backplane itself lives on one loop, its home: the first that needed it, and once that has ended the next.

    Args:
        backplane: that connects it to the others.
        origin: the hub's own id, so that it does not hear itself.
        wanted: says whether anybody in this process listens to a topic.
        count: counts a malformed message, a gap, or a failure of the engine.
    """

    def __init__(
        self, backplane: Backplane, origin: str, wanted: Callable[[str], bool], count: Callable[[str], None]
    ) -> None:
        self._backplane = backplane
        self._hub_id = origin
        self._wanted = wanted
        self._count = count
        self._reception = Reception(count)
        self._numbering = Numbering()
        self._home: _Home | None = None
        self._lock = threading.Lock()
        self._failing = False

    def tell(self, ears: Ears) -> None:
        """Say who takes what the others say."""
        self._reception.ears = ears

    async def start(self) -> None:
        """Connect, unless that is done already.

        Raises:
            ConfigurationError: another hub uses the same backplane object.
        """
        await self.follow(())

    async def stop(self) -> None:
        """Disconnect. What is used later connects again."""
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            await self._run_at(home, home.stop())
            home.ended = True
            self._reception.stop()

    async def follow(self, topics: Iterable[str], *, patience: float | None = None) -> bool:
        """Listen to those topics that somebody in this process listens to now, and to the others no more.

        Args:
            topics: that may have changed.
            patience: seconds that it waits for the engine; by default less than one, and none while the engine has
                been silent for that long. What is left then is done later.

        Returns:
            whether the engine has been told.
        """
        home, inherited = self._find_home()
        return bool(await self._run_at(home, home.follow([*inherited, *topics], patience)))

    async def let_go(self, topics: Iterable[str]) -> None:
        """Listen no more to those topics that nobody in this process listens to now, if the engine is connected to."""
        home = self._home
        if home is not None and home.is_alive():
            await self._run_at(home, home.follow(list(topics)))

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the loop that the backplane lives on.

        Raises:
            RuntimeError: that loop has just been closed.
        """
        home, inherited = self._find_home()
        if inherited:
            await self.follow(inherited)
        return await on_loop(home.loop, work)

    async def publish(self, event: EncodedEvent, audiences: tuple[Audience, ...], exclude: frozenset[str]) -> None:
        """Tell the other hubs of an event."""
        message = write_publication(event, self.origin, audiences, exclude)
        await self._tell(map(channel_of, audiences), message)

    async def disconnect(self, audiences: tuple[Audience, ...], code: int, reason: str) -> None:
        """Have the other hubs close the connections of some audiences."""
        message = write_disconnection(self.origin, audiences, code, reason)
        await self._tell(map(channel_of, audiences), message)

    async def change_presence(self, topic: str, joins: Iterable[Present], leaves: Iterable[Present]) -> bool:
        """Tell the other hubs who begins and who ceases to be present on a topic; say whether the engine took it."""
        return await self._tell([presence_channel(topic)], write_presence_change(self.origin, topic, joins, leaves))

    async def _tell(self, channels: Iterable[str], message: bytes) -> bool:
        topics, home = dict.fromkeys(channels), self._home
        if home is None or not home.is_alive():
            # Nobody is connected to this process; it may still have something to say.
            return await self._publish(topics, message)
        return bool(await self._run_at(home, self._publish_in_turn(home, topics, message)))

    @property
    def origin(self) -> str:
        """What this hub calls itself in this process."""
        # A hub may have been made before the process was forked.
        return f"{self._hub_id}.{os.getpid()}"

    def _find_home(self) -> tuple[_Home, Iterable[str]]:
        """Return where the backplane lives, and the topics that have to be followed there anew."""
        with self._lock:
            home = self._home
            if home is not None and home.is_alive():
                return home, ()
            self._reception.hear_as(self.origin)
            self._home = self._settle()
            return self._home, () if home is None else home.topics()

    def _settle(self) -> _Home:
        """Have the backplane live on this loop."""
        with _homes_lock:
            other = _homes.get(id(self._backplane))
            if other is not None and other.is_alive():
                # It would start and stop for both of them, and tell only one of what it hears.
                raise ConfigurationError(
                    f"This {type(self._backplane).__name__} is in use by another hub. Give each hub a backplane object "
                    "of its own, or the URL of the engine."
                )
            home = _homes[id(self._backplane)] = _Home(self._backplane, self._reception, self._wanted, self._note)
            return home

    async def _run_at(self, home: _Home, work: Coroutine[Any, Any, _T]) -> _T | None:
        if home.loop is asyncio.get_running_loop():
            return await work
        if home.is_alive():
            try:
                # The loop may end before it comes to this.
                async with asyncio.timeout(2 * _PATIENCE):
                    return await on_loop(home.loop, work)
            except TimeoutError:
                log.debug("the loop of the backplane does not answer")
        else:
            work.close()
        return None

    async def _publish_in_turn(self, home: _Home, topics: Iterable[str], message: bytes) -> bool:
        await home.turn()
        return await self._publish(topics, message)

    async def _publish(self, topics: Iterable[str], message: bytes) -> bool:
        failure: Exception | None = None
        for topic in topics:
            try:
                # A message that is lost has its number all the same: so the others notice.
                await self._backplane.publish(topic, numbered(message, self._numbering.next(topic)))
            except Exception as error:
                failure = error
        self._note(failure)
        return failure is None

    def _note(self, error: Exception | None) -> None:
        """Count what went wrong with the engine, and log the first of a row."""
        if error is not None:
            self._count("backplane_failures")
            if not self._failing:
                log.warning("the backplane fails; other processes are not told of events: %r", error)
        elif self._failing:
            log.warning("the backplane works again")
        self._failing = error is not None


class _Home:
    """The loop that a backplane lives on, and what it listens to there. Made and used on that loop.

    What an engine is told of a topic is told by one task at a time, which asks what is wanted before each step: else
    somebody who joins while the last one leaves might be subscribed first and unsubscribed after.
    """

    def __init__(
        self,
        backplane: Backplane,
        receiver: Reception,
        wanted: Callable[[str], bool],
        note: Callable[[Exception | None], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.ended = False
        self._process = os.getpid()
        self._backplane = backplane
        self._receiver = receiver
        self._wanted = wanted
        self._note = note
        self._starting: asyncio.Task[None] | None = None
        self._started = False
        self._listening: set[str] = set()
        self._changing: dict[str, asyncio.Task[None]] = {}
        self._order = asyncio.Lock()
        self._waiting = 0
        self._answers = 0
        self._silent = False

    def is_alive(self) -> bool:
        """Whether the loop runs, in this process."""
        return not self.ended and self.loop.is_running() and self._process == os.getpid()

    def topics(self) -> list[str]:
        """Return what the engine was told to listen to, or is being told."""
        return list({*self._listening, *self._changing})

    async def follow(self, topics: Collection[str], patience: float | None = None) -> bool:
        """Tell the engine what is wanted of these topics; wait for that, but not for long. Say whether it was done."""
        begun = [self._connect(), *(self._change(topic) for topic in topics)]
        tasks = [task for task in begun if task is not None]
        if tasks:  # pragma: no branch - there is always one on Python 3.11, which has no eager tasks
            answers = self._answers
            _, pending = await asyncio.wait(tasks, timeout=self._patience if patience is None else patience)
            if pending and answers == self._answers:
                self._silent = True
        return all(self._wanted(topic) == (topic in self._listening) for topic in topics)

    async def turn(self) -> None:
        """Wait, but not for long, while the engine is being connected to, and for those who did so before.

        What is published meanwhile would find no connection, and be lost; what is published after must not overtake it.
        """
        starting = self._starting is not None and not self._started and not self._starting.done()
        if not starting and not self._waiting:
            return
        end = self.loop.time() + self._patience
        self._waiting += 1
        try:
            async with self._order:
                await self.follow((), max(0.0, end - self.loop.time()))
        finally:
            self._waiting -= 1

    @property
    def _patience(self) -> float:
        # Else the waits of a connection that joins several rooms would add up.
        return 0.0 if self._silent else _PATIENCE

    def _answered(self) -> None:
        self._answers += 1
        self._silent = False

    async def stop(self) -> None:
        """Disconnect."""
        tasks = [*self._changing.values(), *([self._starting] if self._starting is not None else [])]
        await cancel_and_wait(*tasks)
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
        self._answered()

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
                    self._receiver.forget(topic, self._listening)
                self._answered()
        except Exception as error:
            # Whoever joins or leaves next has it tried again.
            self._answered()
            self._note(error)
        finally:
            self._changing.pop(topic, None)


# By the identity of the backplane: it may be of any class, and each of these keeps its own alive.
_homes: Final[WeakValueDictionary[int, _Home]] = WeakValueDictionary()
_homes_lock: Final = threading.Lock()
