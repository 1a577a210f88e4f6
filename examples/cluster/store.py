"""What the chat remembers, in Redis: all its processes have the same rooms, messages and names."""

from collections.abc import Iterable
from typing import Any

from redis import RedisError
from redis.asyncio import Redis

from examples.chat.events import Person, Said
from examples.chat.store import FIRST_ROOMS, MESSAGES
from wsproto_core import Problem, exception_handler

ROOMS = "chat:rooms"
DAY = 86_400  # seconds that a name is kept after its person last came in


@exception_handler(RedisError)
def away(error: RedisError) -> Problem:
    return Problem("The chat cannot look into its memory right now. Try again in a moment.", code="unavailable")


class RedisStore:
    """Remembers in Redis, for all processes that have the same."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)

    async def rooms(self) -> list[str]:
        names = await self._redis.smembers(ROOMS)
        if not names:
            await self._redis.sadd(ROOMS, *FIRST_ROOMS)
        return sorted(names or FIRST_ROOMS)

    async def open(self, room: str) -> None:
        await self._redis.sadd(ROOMS, room)

    async def close(self, room: str) -> None:
        await self._redis.srem(ROOMS, room)
        await self._redis.delete(f"chat:messages:{room}")

    async def keep(self, room: str, said: Said) -> None:
        async with self._redis.pipeline() as together:
            together.rpush(f"chat:messages:{room}", said.model_dump_json())
            together.ltrim(f"chat:messages:{room}", -MESSAGES, -1)
            await together.execute()

    async def messages(self, room: str) -> list[Said]:
        return [Said.model_validate_json(each) for each in await self._redis.lrange(f"chat:messages:{room}", 0, -1)]

    async def remember(self, person: Person) -> None:
        await self._redis.set(f"chat:name:{person.id}", person.name, ex=DAY)

    async def names(self, user_ids: Iterable[Any]) -> dict[str, dict[str, str]]:
        ids = [*user_ids]
        names = await self._redis.mget([f"chat:name:{each}" for each in ids])
        return {each: {"name": name} for each, name in zip(ids, names, strict=True) if name is not None}
