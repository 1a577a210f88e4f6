"""A topic whose presence somebody in this process asked for: who is there, and who knows of that."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from wsproto_core.builtin_actions import PresenceDiff, PresenceState
from wsproto_core.encoding import EncodedEvent
from wsproto_core.presence import Member, Meta
from wsproto_core.publications import PresenceChange
from wsproto_core.recipients import Audience
from wsproto_core.routes import audience_of

if TYPE_CHECKING:
    from wsproto_core.session import Session

__all__ = ["Key", "Told", "Watch", "grouped"]

Key = tuple[str, str]
"""A process and a ref."""

Told = dict[str, tuple[int | str, tuple[str, ...]]]
"""By the text of a user id: the id, and the refs of its connections."""


class Watch:
    """A topic whose presence somebody in this process asked for.

    Attributes:
        sessions: who asked, and what each has still to get while its state is on the way; None after that.
        members: user ids by process and ref.
        told: what those who asked know of.
        infos: what the application says of those, by the text of the user id.
        loaded: whether all members are known.
        loading: how many find that out right now.
        early: what was heard meanwhile.
        begun: the number of who began last with that.
        applied: the number of whose answer was taken last.
        failed: the number of who failed last with that.
        telling: whether somebody works on a diff.
        untold: whether there may be one.
        waiting: for the next that is begun, and done, by whoever works on them.
    """

    __slots__ = (
        "applied", "audience", "begun", "early", "failed", "infos", "loaded", "loading", "members", "sessions",
        "telling", "told", "topic", "untold", "waiting",
    )  # fmt: skip

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.audience: Audience = audience_of(topic)
        self.sessions: dict[Session, list[EncodedEvent] | None] = {}
        self.members: dict[Key, int | str] = {}
        self.told: Told = {}
        self.infos: dict[str, Any] = {}
        self.loaded = False
        self.loading = 0
        self.early: list[PresenceChange] = []
        self.begun = 0
        self.applied = 0
        self.failed = 0
        self.telling = False
        self.untold = False
        self.waiting: list[Future[None]] = []

    def change(self, change: PresenceChange) -> None:
        """Take in what another process says."""
        for process, ref, user_id in change.joins:
            self.members[process, ref] = user_id
        for process, ref, _ in change.leaves:
            self.members.pop((process, ref), None)

    def hear(self, change: PresenceChange) -> None:
        """Take in what another process says, also while the members are being found out."""
        if self.loading:
            self.early.append(change)
        if self.loaded:
            self.change(change)
            self.untold = True

    def begin(self) -> int:
        """Begin to find out the members; return the number of this attempt."""
        self.loading += 1
        self.begun += 1
        return self.begun

    def finish(self, number: int, members: dict[Key, int | str] | None) -> None:
        """Take what an attempt found out, unless a later one was quicker; None is nothing."""
        self.loading -= 1
        if members is None:
            self.failed = max(self.failed, number)
        elif number > self.applied:
            self.applied = number
            self.members = members
            for change in self.early:
                self.change(change)
            self.loaded = True
        if not self.loading:
            self.early.clear()

    @property
    def stale(self) -> bool:
        """Whether the members have to be found out again: the last who was to do that failed."""
        return self.failed > self.applied

    def state(self) -> PresenceState:
        """Return what those who asked know."""
        return PresenceState(topic=self.topic, members=[self._member(key, self.told) for key in self.told])

    def diff(self, now: Told) -> PresenceDiff | None:
        """Return what is new, and take it for told."""
        before, self.told = self.told, now
        diff = PresenceDiff(
            topic=self.topic,
            joins=[self._member(key, now) for key in now if key not in before],
            leaves=[self._member(key, before) for key in before if key not in now],
            updates=[self._member(key, now) for key in now if key in before and before[key][1] != now[key][1]],
        )
        for key in [key for key in self.infos if key not in now]:
            del self.infos[key]
        return diff if diff.joins or diff.leaves or diff.updates else None

    def _member(self, key: str, told: Told) -> Member:
        user_id, refs = told[key]
        return Member(user_id=user_id, info=self.infos.get(key), metas=[Meta(ref=ref) for ref in refs])


def grouped(members: Iterable[tuple[Key, int | str]]) -> Told:
    """Return the users by the text of their ids, each with the refs of its connections."""
    users: dict[str, tuple[int | str, list[str]]] = {}
    for (_, ref), user_id in members:
        users.setdefault(str(user_id), (user_id, []))[1].append(ref)
    return {key: (user_id, tuple(sorted(refs))) for key, (user_id, refs) in users.items()}
