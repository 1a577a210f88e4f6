"""The service behind it: it believes what it is told, because nobody else can reach it."""

import asyncio
import sys

from wsproto_core import ActionContext, ConnectionInfo, Event, action
from wsproto_websockets import serve


class Greeted(Event, name="greeted"):
    text: str


@action("greet")
async def greet(context: ActionContext) -> Greeted:
    return Greeted(text=f"Hello, {context.user_id}.")


def who(info: ConnectionInfo) -> str | None:
    return info.headers.get("x-user-id")


async def main(port: int) -> None:
    async with serve("127.0.0.1", port, path="/ws/", authenticate=who) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8001))
