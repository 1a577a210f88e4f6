"""A contract that is large and difficult, on FastAPI: 500 actions, schemas that hold themselves, floods of events."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from wsproto_core import AUTHENTICATE_LATER, ActionContext, ConnectionInfo, Event, Problem, Registry, Tickets, Topic
from wsproto_core.asyncapi import docs_page
from wsproto_fastapi import configure_websocket, handle_websocket

HOSTILE = "<img src=x onerror=\"document.title = 'taken'\">"

registry = Registry()


class Counted(Event, name="flood.counted", registry=registry):
    number: int


class Echoed(Event, name="echoed", registry=registry):
    payload: Any


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Square(BaseModel):
    kind: Literal["square"]
    side: Annotated[int, Field(ge=1, le=100)]


class Tree(BaseModel):
    """A node, and those below it."""

    name: str
    children: list["Tree"] = []


class Everything(BaseModel):
    """One of each kind.

    - with **Markdown**, `code` and [a link](https://example.com/)
    - and <b>no HTML</b>
    """

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=2, max_length=10, pattern="^[a-z]+$", description="Small letters")]
    id: UUID
    day: date
    price: Decimal
    whole: Annotated[int, Field(ge=0, multiple_of=5)]
    colour: Colour
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    tree: Tree
    tags: Annotated[list[str], Field(max_length=3)] = []
    pair: tuple[int, str] | None = None
    by_name: dict[str, int] = {}
    maybe: str | None = None
    sure: bool = False
    free: Any = None


class Amount(BaseModel):
    count: Annotated[int, Field(ge=1, le=100_000)]


class Small(BaseModel):
    value: int = 0


class Board(Topic, pattern="board/{name}", registry=registry):
    """What happens on a board."""

    name: str

    async def authorize(self, context: ActionContext) -> bool:
        return self.name != "secret"

    async def on_subscribe(self, context: ActionContext) -> AsyncIterator[Event]:
        yield Counted(number=0)


@registry.action("everything", summary="Takes one of each kind", tags=["kinds"])
async def everything(payload: Everything) -> Echoed:
    return Echoed(payload=payload.model_dump(mode="json"))


@registry.action("tell", summary="Tells a board")
async def tell(payload: Amount, context: ActionContext) -> AsyncIterator[Counted]:
    yield Counted(number=payload.count).to(Board(name="news"))


@registry.action("flood", summary="Sends many events")
async def flood(payload: Amount) -> AsyncIterator[Counted]:
    for number in range(payload.count):
        yield Counted(number=number)


@registry.action("slow", summary="Answers after two events", deprecated=True)
async def slow(payload: Small) -> AsyncIterator[Counted]:
    yield Counted(number=1)
    await asyncio.sleep(0.1)
    yield Counted(number=2)


@registry.action("hostile", summary=HOSTILE, description=f"{HOSTILE} [click](javascript:alert(1))", tags=[HOSTILE])
async def hostile(payload: Tree) -> Echoed:
    return Echoed(payload={HOSTILE: HOSTILE, "__proto__": {"polluted": True}, "constructor": HOSTILE})


@registry.action(f"hostile.{HOSTILE}", summary="A name that is markup")
async def hostile_name() -> None:
    raise Problem(status=418, code="teapot", detail=HOSTILE)


@registry.action("przesłany/żółty plik #1", summary="A name that needs escaping in a link")
async def polish() -> Echoed:
    return Echoed(payload="ok")


async def answer(payload: Small) -> Echoed:
    return Echoed(payload=payload.value)


for number in range(500 - len(registry.actions)):
    registry.action(
        f"group{number // 25:02}.action{number:03}", summary=f"Number {number}", tags=[f"group {number // 25:02}"]
    )(answer)


async def authenticate(info: ConnectionInfo) -> Any:
    if info.token is None:
        return AUTHENTICATE_LATER if info.path == "/later/" else None
    if info.token != "right":
        raise Problem(code="unauthenticated", detail="That is not the token.")
    return "ada"


tickets = Tickets()
app = FastAPI(title=f"Large {HOSTILE}", description=f"# Welcome\n\nTo **{HOSTILE}**\n\n```\n{HOSTILE}\n```")
configure_websocket(app, registry=registry, authenticate=authenticate, tickets=tickets, query_token="key")


@app.get("/one-file")
async def one_file() -> HTMLResponse:
    policy = "default-src 'none'; script-src 'nonce-of-mine'; style-src 'nonce-of-mine'; connect-src 'self'"
    page = docs_page("/asyncapi.json?from=here&there", nonce="of-mine")
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


@app.post("/ticket")
async def ticket() -> dict[str, str]:
    return {"ticket": await tickets.issue("ada")}


@app.websocket("/ws/")
async def ws(websocket: WebSocket) -> None:
    await handle_websocket(websocket)


@app.websocket("/later/")
async def later(websocket: WebSocket) -> None:
    await handle_websocket(websocket)
