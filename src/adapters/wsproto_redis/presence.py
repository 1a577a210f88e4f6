"""Who is present, kept in Redis for all processes.

A process holds a lease in a sorted set, until a time by the clock of Redis. Each time that it begins anew, after its
lease has ended, what it puts belongs to a new generation; what is of any other one counts for nothing. Whoever renews
a lease removes what processes left behind that did not. Under the prefix there are

- ``{presence}:leases`` and ``{presence}:generations``: of each process, until when, and which;
- ``{presence}:left``: processes and generations that are to be removed;
- ``{presence}:of:PROCESS:GENERATION``: what a process has put, topics and refs, so that it can be found;
- ``presence:TOPIC``: who is present, a hash from process and ref to generation and user id.

All of them end by themselves a day after nobody has renewed them. What somebody else has put into the last two, or in
their place, is passed over, and told in the log: it must not take anybody's presence along.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final

from pydantic_core import from_json

from wsproto_core.presence import Entry, Present, Renewal
from wsproto_redis.home import Home, Homes
from wsproto_redis.link import ReplyError
from wsproto_redis.urls import read_url

__all__ = ["RedisPresenceStore"]

log = logging.getLogger("wsproto_core.redis")

_KEPT: Final = 86_400_000  # milliseconds
_AT_ONCE: Final = 256  # commands that are under way together
_GRAVES: Final = 100  # processes that one renewal removes
_TOLD: Final = 100  # keys that the log tells of

_RENEW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases, generations, left = KEYS[1], KEYS[2], KEYS[3]
local process, lease, kept = ARGV[1], tonumber(ARGV[2]), ARGV[3]
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', leases, ended)
    local generation = redis.call('HGET', generations, ended)
    if generation then
        redis.call('HDEL', generations, ended)
        redis.call('SADD', left, cjson.encode({ended, generation}))
    end
end
local generation = redis.call('HGET', generations, process)
local fresh = 0
if not redis.call('ZSCORE', leases, process) or not generation then
    fresh = 1
    generation = time[1] .. '.' .. time[2]
    redis.call('HSET', generations, process, generation)
end
redis.call('ZADD', leases, now + lease, process)
for _, key in ipairs({leases, generations, left, ARGV[4] .. generation}) do
    redis.call('PEXPIRE', key, kept)
end
return {fresh, generation, redis.call('ZRANGE', leases, 0, -1), redis.call('SRANDMEMBER', left, tonumber(ARGV[5]))}
"""

_ALIVE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local alive = {}
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
    alive[#alive + 1] = process
    alive[#alive + 1] = redis.call('HGET', KEYS[2], process) or ''
end
return alive
"""

_LEAVE: Final = """
local generation = redis.call('HGET', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return generation
"""

# Only what is of this generation: the process may have come back meanwhile, and put the same again.
_REMOVE: Final = """
for place = 2, #ARGV do
    local field = ARGV[place]
    local value = redis.call('HGET', KEYS[1], field)
    if value then
        local is_json, kept = pcall(cjson.decode, value)
        if is_json and type(kept) == 'table' and kept[1] == ARGV[1] then
            redis.call('HDEL', KEYS[1], field)
        end
    end
end
"""


class RedisPresenceStore:
    """Keeps who is present in Redis. Works on any event loop.

    Args:
        url: of Redis; see `RedisBackplane`, which has a store of its own: `RedisBackplane.presence_store`.
        prefix: begins the names of all keys.
        timeout: seconds that Redis may take to answer.

    Raises:
        ConfigurationError: something is wrong with the URL or an option.
    """

    def __init__(self, url: str, *, prefix: str | None = None, timeout: float | None = None) -> None:
        location, options = read_url(url, prefix=prefix, timeout=timeout)
        self._set_up(Homes(location, options), options.prefix)

    @classmethod
    def of(cls, homes: Homes, prefix: str) -> RedisPresenceStore:
        """Return the store that goes through the connections of a backplane."""
        store = cls.__new__(cls)
        store._set_up(homes, prefix)
        return store

    def _set_up(self, homes: Homes, prefix: str) -> None:
        self._homes = homes
        self._prefix = prefix
        own = f"{prefix}{{presence}}"
        self._leases, self._generations, self._left = f"{own}:leases", f"{own}:generations", f"{own}:left"
        self._entries = f"{own}:of"
        self._generation: dict[str, str] = {}
        self._lengthened: dict[str, float] = {}
        self._told: set[str] = set()

    async def renew(self, process: str, lease: float) -> Renewal:
        """Hold the lease of a process for so many seconds, and remove what others left behind.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        home = self._homes.here()
        keys = (self._leases, self._generations, self._left)
        arguments = (process, str(round(lease * 1000)), str(_KEPT), f"{self._entries}:{process}:", str(_GRAVES))
        answer = await home.command(self._leases, "EVAL", _RENEW, str(len(keys)), *keys, *arguments)
        fresh, generation, alive, graves = answer
        self._generation[process] = generation.decode()
        for grave in graves:
            await self._bury(home, grave)
        if fresh:
            self._lengthened[process] = home.loop.time()
        elif home.loop.time() - self._lengthened.get(process, 0.0) > _KEPT / 4000:
            self._lengthened[process] = home.loop.time()
            topics = {topic for topic, _ in await self._entries_of(home, self._entries_key(process))}
            await _together(home.command(key, "PEXPIRE", key, str(_KEPT)) for key in map(self._topic_key, topics))
        return Renewal(bool(fresh), frozenset(map(_decoded, alive)))

    async def add(self, process: str, entries: Sequence[Entry]) -> None:
        """Note who is present.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        home = self._homes.here()
        generation, index = self._generation.get(process, ""), self._entries_key(process)
        # First where it is found again, should this process end in the middle.
        for some in _chunks(entries):
            await self._ask(home, index, "SADD", index, *(json.dumps([topic, ref]) for topic, ref, _ in some))
        await home.command(index, "PEXPIRE", index, str(_KEPT))
        fields: dict[str, list[str]] = {}
        for topic, ref, user_id in entries:
            fields.setdefault(topic, []).extend((_field(process, ref), json.dumps([generation, user_id])))
        await _together(self._put(home, self._topic_key(topic), of_topic) for topic, of_topic in fields.items())

    async def remove(self, process: str, entries: Sequence[Entry]) -> None:
        """Forget who was present.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        home = self._homes.here()
        fields: dict[str, list[str]] = {}
        for topic, ref, _ in entries:
            fields.setdefault(self._topic_key(topic), []).append(_field(process, ref))
        await _together(self._ask(home, key, "HDEL", key, *of_key) for key, of_key in fields.items())
        index = self._entries_key(process)
        for some in _chunks(entries):
            await self._ask(home, index, "SREM", index, *(json.dumps([topic, ref]) for topic, ref, _ in some))

    async def members(self, topic: str) -> Sequence[Present]:
        """Return who is present on a topic.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        home, key = self._homes.here(), self._topic_key(topic)
        kept, answer = await asyncio.gather(
            self._ask(home, key, "HGETALL", key),
            home.command(self._leases, "EVAL", _ALIVE, "2", self._leases, self._generations),
        )
        alive = dict(zip(map(_decoded, answer[::2]), map(_decoded, answer[1::2]), strict=True))
        present: list[Present] = []
        for field, value in (kept or {}).items():
            try:
                (process, ref), (generation, user_id) = _texts(field), _kept(value)
            except ValueError as error:
                self._pass_over(key, error)
                continue
            if alive.get(process) == generation:
                present.append((process, ref, user_id))
        return present

    async def leave(self, process: str) -> None:
        """Forget a process and all that it put.

        Raises:
            Away: Redis cannot be reached; a `ConnectionError`.
            ReplyError: it refuses.
        """
        home = self._homes.here()
        keys = (self._leases, self._generations)
        generation = await home.command(self._leases, "EVAL", _LEAVE, str(len(keys)), *keys, process)
        self._generation.pop(process, None)
        self._lengthened.pop(process, None)
        if generation is not None:
            await self._bury(home, json.dumps([process, generation.decode()]).encode())

    async def aclose(self) -> None:
        """Disconnect. What is used later connects again."""
        await self._homes.stop()

    async def _bury(self, home: Home, grave: bytes) -> None:
        """Remove what a generation of a process has put."""
        try:
            process, generation = _texts(grave)
        except ValueError as error:
            self._pass_over(self._left, error)
            return
        index = f"{self._entries}:{process}:{generation}"
        fields: dict[str, list[str]] = {}
        for topic, ref in await self._entries_of(home, index):
            fields.setdefault(self._topic_key(topic), []).append(_field(process, ref))
        await _together(
            self._ask(home, key, "EVAL", _REMOVE, "1", key, generation, *of_key) for key, of_key in fields.items()
        )
        await home.command(index, "DEL", index)
        await home.command(self._left, "SREM", self._left, grave)

    async def _entries_of(self, home: Home, index: str) -> list[tuple[str, str]]:
        entries: list[tuple[str, str]] = []
        for entry in await self._ask(home, index, "SMEMBERS", index) or ():
            try:
                entries.append(_texts(entry))
            except ValueError as error:
                self._pass_over(index, error)
        return entries

    async def _ask(self, home: Home, key: str, *command: str) -> Any:
        """Send a command about a key; return None when something else than ours is there."""
        try:
            return await home.command(key, *command)
        except ReplyError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self._pass_over(key, error)
            return None

    def _pass_over(self, key: str, error: Exception) -> None:
        if key not in self._told and len(self._told) < _TOLD:
            self._told.add(key)
            log.warning("the key %.300r holds what no presence store of this version puts there: %.300s", key, error)

    async def _put(self, home: Home, key: str, fields: list[str]) -> None:
        await self._ask(home, key, "HSET", key, *fields)
        await home.command(key, "PEXPIRE", key, str(_KEPT))

    def _entries_key(self, process: str) -> str:
        return f"{self._entries}:{process}:{self._generation.get(process, '')}"

    def _topic_key(self, topic: str) -> str:
        return f"{self._prefix}presence:{topic}"


def _field(process: str, ref: str) -> str:
    return json.dumps([process, ref])


def _decoded(name: bytes) -> str:
    return name.decode(errors="replace")


def _texts(raw: bytes) -> tuple[str, str]:
    match from_json(raw):
        case [str() as one, str() as other]:
            return one, other
        case _:
            raise ValueError(f"no pair of texts: {raw[:100]!r}")


def _kept(raw: bytes) -> tuple[str, int | str]:
    match from_json(raw):
        case [str() as generation, int() | str() as user_id]:
            return generation, user_id
        case _:
            raise ValueError(f"no generation and user: {raw[:100]!r}")


def _chunks(entries: Sequence[Entry]) -> Iterable[Sequence[Entry]]:
    return (entries[at : at + _AT_ONCE] for at in range(0, len(entries), _AT_ONCE))


async def _together(works: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Do many things at once, but not too many."""
    waiting = list(works)
    while waiting:
        some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        try:
            await asyncio.gather(*some)
        except BaseException:
            for each in waiting:
                each.close()
            raise
